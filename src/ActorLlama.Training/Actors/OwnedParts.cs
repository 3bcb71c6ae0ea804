using ActorLlama.Planning.Placement;
using ActorLlama.Protocol;
using ActorLlama.Training.Runs;

namespace ActorLlama.Training.Actors;

/// <summary>
/// What a plan gives to a device: its pieces of the trunk and its expert shards, with gradients and moments. For the device's thread; loading is the loader's.
/// </summary>
internal sealed class OwnedParts : IDisposable
{
    private readonly SortedDictionary<int, ExpertOwner> _experts = [];

    private OwnedParts(TrainingPlan plan, ParameterShard trunk) => (Plan, Trunk) = (plan, trunk);

    public TrainingPlan Plan { get; }

    public ParameterShard Trunk { get; }

    public IEnumerable<ParameterShard> Shards => [Trunk, .. _experts.Values.Select(owner => owner.Parameters)];

    public long Bytes => Shards.Sum(shard => shard.Bytes);

    /// <summary>Reads them. Faults of the source pass through; nothing is kept then.</summary>
    public static OwnedParts Load(RunContext run, TrainingPlan plan, RunSource source)
    {
        var parts = new OwnedParts(plan, Read(run, run.Chunks.TrunkOf(run.Config, plan.PiecesOf(run.Device)), source));
        try
        {
            foreach (var shard in plan.ExpertShardsOf(run.Device))
            {
                var (first, count) = ExpertShardRange.Of(shard, plan.ExpertShards.Length, run.Chunks.Experts);
                parts._experts.Add(shard, new ExpertOwner(run.Backend, run.Config, first, count, Read(run, run.Chunks.ExpertsOf(run.Config, first, count), source)));
            }
            return parts;
        }
        catch
        {
            parts.Dispose();
            throw;
        }
    }

    public ExpertOwner Experts(int shard) => _experts[shard];

    public bool Has(int shard) => _experts.ContainsKey(shard);

    public void ClearGradients()
    {
        foreach (var shard in Shards) shard.ClearGradients();
    }

    public void Apply(AdamSettings settings, long update, double rate, double factor)
    {
        foreach (var shard in Shards) shard.Apply(settings, update, rate, factor);
        foreach (var owner in _experts.Values) owner.Refresh();
    }

    public void Dispose()
    {
        Trunk.Dispose();
        foreach (var owner in _experts.Values) owner.Dispose();
    }

    private static ParameterShard Read(RunContext run, IEnumerable<ParameterRange> ranges, RunSource source) =>
        ParameterShard.Load(ranges, run.Settings.Options.Weights, run.DeviceName, source.Weights, source.Moments);
}
