using ActorLlama.Planning.Placement;

namespace ActorLlama.Planning.Routing;

/// <summary>
/// Which shard holds which expert: the inverse of <see cref="ExpertShardRange"/>, also when the number of shards does not divide that of
/// experts.
/// </summary>
public readonly record struct ExpertShards
{
    /// <exception cref="InvalidDataException">When there are no experts, or not between 1 and E shards.</exception>
    public ExpertShards(int experts, int shards)
    {
        if (experts < 1)
            throw new InvalidDataException($"Expert shards: the model has {experts} experts; sharding needs at least 1. Use no expert shards.");
        if (shards < 1 || shards > experts)
            throw new InvalidDataException(
                $"Expert shards: {shards} shards of {experts} experts; the number of shards must be between 1 and {experts}.");
        Experts = experts;
        Shards = shards;
    }

    public int Experts { get; }

    public int Shards { get; }

    public int First(int shard) => ExpertShardRange.Of(shard, Shards, Experts).First;

    public int Count(int shard) => ExpertShardRange.Of(shard, Shards, Experts).Count;

    /// <exception cref="ArgumentOutOfRangeException">When there is no such expert.</exception>
    public int ShardOf(int expert)
    {
        if ((uint)expert >= (uint)Experts)
            throw new ArgumentOutOfRangeException(nameof(expert), expert, $"Expert shards: the model has experts 0 to {Experts - 1}.");
        return (int)((((long)expert + 1) * Shards - 1) / Experts);
    }
}
