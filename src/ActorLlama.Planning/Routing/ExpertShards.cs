namespace ActorLlama.Planning.Routing;

/// <summary>
/// Which shard holds which experts: shard s of S holds [s·E/S, (s+1)·E/S), rounded down, also when S does not divide E (design section 2).
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

    public int First(int shard) => (int)((long)shard * Experts / Shards);

    public int Count(int shard) => First(shard + 1) - First(shard);

    /// <exception cref="ArgumentOutOfRangeException">When there is no such expert.</exception>
    public int ShardOf(int expert)
    {
        if ((uint)expert >= (uint)Experts)
            throw new ArgumentOutOfRangeException(nameof(expert), expert, $"Expert shards: the model has experts 0 to {Experts - 1}.");
        return (int)((((long)expert + 1) * Shards - 1) / Experts);
    }
}
