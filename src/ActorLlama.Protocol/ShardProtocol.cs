using MessagePack;

namespace ActorLlama.Protocol;

/// <summary>To the entities of the region "experts".</summary>
public static class ShardProtocol
{
    /// <summary>
    /// Serve this replica under that plan: the entity has its node's device load it and announces the route. Sent by the supervisor to every
    /// planned entity, again until its node's offer holds it.
    /// </summary>
    [MessagePackObject]
    public sealed record Serve(
        [property: Key(0)] int Shard, [property: Key(1)] int Replica, [property: Key(2)] long PlanEpoch) : IClusterMessage
    {
        [IgnoreMember]
        public string EntityId => $"{Shard}-{Replica}";
    }
}
