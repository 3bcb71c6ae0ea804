using System.Collections.Immutable;
using ActorLlama.Planning.Supervision;
using ActorLlama.Protocol;

namespace ActorLlama.Planning.Tests.Supervision;

public sealed class EventHistoryTests
{
    [Fact]
    public void What_several_nodes_tell_is_known_once_and_in_order()
    {
        ImmutableArray<ClusterProtocol.Event> all = [.. Enumerable.Range(0, 9).Select(Event)];
        var merged = EventHistory.Merge([all[4], all[8]], [all[0], all[4], all[5]]);
        Assert.Equal([all[0], all[4], all[5], all[8]], EventHistory.Merge(merged, merged).AsEnumerable());
    }

    [Fact]
    public void The_oldest_is_forgotten()
    {
        ImmutableArray<ClusterProtocol.Event> all = [.. Enumerable.Range(0, EventHistory.Most + 3).Select(Event)];
        Assert.Equal(all.Skip(3), EventHistory.Merge(all[..5], all[5..]).AsEnumerable());
    }

    private static ClusterProtocol.Event Event(int i) => new(1_000 + (i / 2), EventKind.State, "", $"{i}");
}
