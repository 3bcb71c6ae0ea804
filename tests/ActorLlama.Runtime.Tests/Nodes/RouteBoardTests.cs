using ActorLlama.Protocol;
using ActorLlama.Runtime.Nodes;

namespace ActorLlama.Runtime.Tests.Nodes;

public sealed class RouteBoardTests : Akka.TestKit.Xunit2.TestKit
{
    /// <summary>Many changes race with the start of a follower: it must know the last one, whichever side of its subscription it fell.</summary>
    [Fact]
    public async Task A_follower_learns_the_last_routes_whenever_it_starts()
    {
        for (var round = 0; round < 200; round++)
        {
            var board = new RouteBoard();
            var probe = CreateTestProbe();
            using var together = new Barrier(2);
            var writer = Task.Run(() =>
            {
                together.SignalAndWait();
                Publish(board, Of(1));
                Publish(board, Of(2));
            });
            together.SignalAndWait();
            board.Follow(probe, Sys.EventStream);
            await writer.WaitAsync(TimeSpan.FromSeconds(10));
            await probe.FishForMessageAsync<RoutesChanged>(m => m.Routes.Version == 2, TimeSpan.FromSeconds(10));
            Sys.EventStream.Unsubscribe(probe);
        }
    }

    private void Publish(RouteBoard board, NodeProtocol.Routes routes)
    {
        board.Routes = routes;
        Sys.EventStream.Publish(new RoutesChanged(routes));
    }

    private static NodeProtocol.Routes Of(long version) => new(1, version, ClusterState.Loading, "", [], [], []);
}
