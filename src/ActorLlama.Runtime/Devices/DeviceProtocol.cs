using ActorLlama.Protocol;
using ActorLlama.Runtime.Experts;
using Akka.Actor;

namespace ActorLlama.Runtime.Devices;

/// <summary>Between a node, its devices and what computes on them. Never leaves the node.</summary>
internal static class DeviceProtocol
{
    /// <summary>Node to device: hold exactly these stages, each wired to the pipeline epoch that comes with it.</summary>
    public sealed record HoldStages(IReadOnlyList<WiredStage> Stages) : INoSerializationVerificationNeeded;

    /// <summary>Node to device: load this replica; answered by <see cref="ShardHeld"/>.</summary>
    public sealed record HoldShard(ShardPlacement Placement) : INoSerializationVerificationNeeded;

    /// <summary>Node to device: free this replica.</summary>
    public sealed record DropShard(int Shard, int Replica) : INoSerializationVerificationNeeded;

    /// <summary>Device to stage: batches and KV of earlier pipeline epochs are void from here on.</summary>
    public sealed record Wire(long PipelineEpoch) : INoSerializationVerificationNeeded;

    /// <summary>A stage loads, is loaded and wired, or failed.</summary>
    public sealed record StageHeld(NodeProtocol.HeldStage Stage) : INoSerializationVerificationNeeded;

    /// <summary>A shard replica loads, is loaded, or failed.</summary>
    public sealed record ShardHeld(NodeProtocol.HeldShard Shard, WorkCounter Work) : INoSerializationVerificationNeeded;

    /// <summary>Stage, expert or node to a device: there was too little memory for what it was to compute, or for the rows of it.</summary>
    public sealed record RanOut(string Why) : INoSerializationVerificationNeeded;

    /// <summary>Device to node: what it holds had better be computed elsewhere.</summary>
    public sealed record Unfit(string Device, string Why) : INoSerializationVerificationNeeded;

    /// <summary>Device to node: what made it <see cref="Unfit"/> has not been so for a while.</summary>
    public sealed record Fit(string Device) : INoSerializationVerificationNeeded;

    public sealed record WiredStage(StagePlacement Placement, long PipelineEpoch);
}
