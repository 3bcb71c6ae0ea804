using Akka.Actor;

namespace ActorLlama.Runtime.Nodes;

/// <summary>From an ExpertShardActor to its node: the right to serve a replica begins and ends. Never leaves the node.</summary>
internal static class ShardClaims
{
    /// <summary>The sender owns the replica: load it if the plan puts it here.</summary>
    public sealed record Claim(int Shard, int Replica) : INoSerializationVerificationNeeded;

    /// <summary>The sender no longer owns it: free it.</summary>
    public sealed record Release(int Shard, int Replica) : INoSerializationVerificationNeeded;
}
