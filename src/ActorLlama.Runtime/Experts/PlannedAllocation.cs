using System.Collections.Immutable;
using ActorLlama.Protocol;
using ActorLlama.Runtime.Nodes;
using Akka.Actor;
using Akka.Cluster;
using Akka.Cluster.Sharding;

namespace ActorLlama.Runtime.Experts;

/// <summary>
/// Where the shards of region "experts" go: where the plan says, and nowhere else. A shard whose planned node has no region yet is not
/// allocated; the supervisor asks again. Moving one moves gigabytes, so nothing is rebalanced but by plan.
/// </summary>
internal sealed class PlannedAllocation(RouteBoard board, Cluster cluster) : IShardAllocationStrategy
{
    private const int Patience = 20;
    private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(25);

    public async Task<IActorRef> AllocateShard(
        IActorRef requester, string shardId, IImmutableDictionary<IActorRef, IImmutableList<string>> currentShardAllocations)
    {
        // The supervisor tells entities and nodes of a plan at once: this node may hear of the entity first.
        for (var patience = Patience; patience > 0; patience--)
        {
            if (Planned(shardId, currentShardAllocations.Keys) is { } region) return region;
            await Task.Delay(s_pause);
        }

        throw new InvalidOperationException($"Expert shard {shardId}: no node of the plan is ready to own it");
    }

    /// <remarks>
    /// Shards of a node that is lost are not handed off, however the plan may have moved them already: the coordinator would wait for that
    /// node's answer for the whole hand-off timeout. It frees them itself when it hears of the loss.
    /// </remarks>
    public Task<IImmutableSet<string>> Rebalance(
        IImmutableDictionary<IActorRef, IImmutableList<string>> currentShardAllocations, IImmutableSet<string> rebalanceInProgress)
    {
        var misplaced = currentShardAllocations
            .Where(region => IsMember(AddressOf(region.Key)))
            .SelectMany(region => region.Value.Select(shard => (Region: region.Key, Shard: shard)))
            .Where(at => !rebalanceInProgress.Contains(at.Shard)
                && Planned(at.Shard, currentShardAllocations.Keys) is { } planned && !planned.Equals(at.Region))
            .Select(at => at.Shard);
        return Task.FromResult<IImmutableSet<string>>(misplaced.ToImmutableHashSet());
    }

    private IActorRef? Planned(string shardId, IEnumerable<IActorRef> regions)
    {
        var placement = board.Plan.Shards.FirstOrDefault(s => EntityId(s) == shardId);
        return placement is null ? null : regions.FirstOrDefault(r => AddressOf(r) == placement.Device.Node.Address);
    }

    private bool IsMember(string address)
    {
        var state = cluster.State;
        return state.Members.Except(state.Unreachable).Any(m => m.Status == MemberStatus.Up && m.Address.ToString() == address);
    }

    private string AddressOf(IActorRef region) => (region.Path.Address.HasLocalScope ? cluster.SelfAddress : region.Path.Address).ToString();

    private static string EntityId(ShardPlacement s) => new ShardProtocol.Serve(s.Shard, s.Replica, 0).EntityId;
}
