using Akka.Actor;

namespace ActorLlama.Benchmarks.Micro.Lanes;

/// <summary>
/// The product's path: a request over the lane to a node in another process, which answers with a payload of the same size. Both ends are
/// actors on devices' threads, or called by the lane's own thread: the difference is what mailboxes cost.
/// </summary>
internal sealed class LaneEcho : IEcho
{
    private readonly EchoNode _node;
    private readonly EchoProcess _far;
    private readonly LaneClient _client;

    private LaneEcho(EchoNode node, EchoProcess far, LaneClient client) => (_node, _far, _client) = (node, far, client);

    public static async Task<LaneEcho> StartAsync(int bytes, bool withMailboxes, string? certificates = null)
    {
        var node = await EchoNode.StartAsync("a", certificates);
        var far = await EchoProcess.StartAsync(withMailboxes ? EchoKind.Actors : EchoKind.Lane, bytes, node.Port, certificates);
        node.Meet("b", far.Address.Port);
        var client = new LaneClient(node.Lane, new(EchoNode.Id("b"), far.Address.Path, far.Address.Uid), bytes);
        (client.Ref, client.Self) = node.Listen(client.Receive, withMailboxes);
        return new LaneEcho(node, far, client);
    }

    public Task RoundTripsAsync(int count)
    {
        var go = new LaneClient.Go(count);
        _client.Ref.Tell(go);
        return go.Done.Task.WaitAsync(TimeSpan.FromSeconds(10));
    }

    public async ValueTask DisposeAsync()
    {
        await _node.DisposeAsync();
        await _far.DisposeAsync();
    }
}
