namespace ActorLlama.Planning.Placement;

/// <summary>Which experts a shard holds: shard s of S has [s·E/S, (s+1)·E/S).</summary>
public static class ExpertShardRange
{
    public static (int First, int Count) Of(int shard, int shards, int experts)
    {
        var first = (int)((long)shard * experts / shards);
        var end = (int)((shard + 1L) * experts / shards);
        return (first, end - first);
    }
}
