using System.Collections.Immutable;

namespace ActorLlama.Planning.Routing;

/// <summary>The rows of a layer that go to one shard, ascending, and the expert of each: Experts[i] computes row Rows[i].</summary>
public sealed record ShardGroup(int Shard, ImmutableArray<int> Rows, ImmutableArray<int> Experts);
