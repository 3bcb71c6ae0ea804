using System.Collections.Immutable;
using MessagePack;

namespace ActorLlama.Protocol;

/// <summary>
/// Which stage and which expert-shard replica goes where. A pure function of the model's shape, the offered devices and the options
/// (Planning). Epochs only grow; the highest wins. <c>PipelineEpochs[p]</c> is the epoch in which pipeline p last changed a stage: its KV
/// caches and batches belong to that epoch. <paramref name="Incoming"/>: stages that are loaded where a later plan wants them, while those above still serve.
/// </summary>
[MessagePackObject]
public sealed record PlacementPlan(
    [property: Key(0)] long Epoch,
    [property: Key(1)] ImmutableArray<StagePlacement> Stages,
    [property: Key(2)] ImmutableArray<ShardPlacement> Shards,
    [property: Key(3)] int ExpertShards,
    [property: Key(4)] ImmutableArray<long> PipelineEpochs,
    ImmutableArray<StagePlacement> Incoming = default)
{
    [Key(5)]
    public ImmutableArray<StagePlacement> Incoming { get; init; } = Incoming.IsDefault ? [] : Incoming;

    [IgnoreMember]
    public static PlacementPlan Empty { get; } = new(0, [], [], 0, []);

    /// <summary>The epoch that a stage of this plan is wired to: its pipeline's, or 0 while it only gets ready.</summary>
    public long EpochOf(StagePlacement stage) => Incoming.Contains(stage) ? 0 : PipelineEpochs[stage.Pipeline];

    /// <summary>The devices that the stages of a pipeline, and the experts that all pipelines share, are spread over.</summary>
    public IEnumerable<DeviceId> DevicesOf(int pipeline) =>
        Stages.Where(s => s.Pipeline == pipeline).Select(s => s.Device).Concat(Shards.Select(s => s.Device)).Distinct();
}

/// <summary>Layers [FirstLayer, FirstLayer + Layers) of pipeline Pipeline, stage Index of it. Stage 0 also hosts the scheduler.</summary>
[MessagePackObject]
public sealed record StagePlacement(
    [property: Key(0)] int Pipeline,
    [property: Key(1)] int Index,
    [property: Key(2)] int FirstLayer,
    [property: Key(3)] int Layers,
    [property: Key(4)] DeviceId Device,
    [property: Key(5)] long WeightBytes,
    [property: Key(6)] long KvBytes);

/// <summary>Experts [FirstExpert, FirstExpert + Experts) of all MoE layers: replica Replica of shard Shard. Epoch: that of the plan which put it on this device.</summary>
[MessagePackObject]
public sealed record ShardPlacement(
    [property: Key(0)] int Shard,
    [property: Key(1)] int Replica,
    [property: Key(2)] int FirstExpert,
    [property: Key(3)] int Experts,
    [property: Key(4)] DeviceId Device,
    [property: Key(5)] long WeightBytes,
    [property: Key(6)] long Epoch);
