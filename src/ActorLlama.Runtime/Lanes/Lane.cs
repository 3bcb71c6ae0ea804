using System.Collections.Frozen;
using System.Net;
using System.Net.Sockets;
using ActorLlama.Protocol;
using ActorLlama.Trust;
using Akka.Actor;
using Akka.Event;

namespace ActorLlama.Runtime.Lanes;

/// <summary>
/// The data plane of one node: framed TCP with credits between actors of different nodes, a plain Tell between actors of one. See the
/// README beside this file for its rules.
/// </summary>
internal sealed class Lane : IAsyncDisposable
{
    private readonly ActorSystem _system;
    private readonly LaneNode _node;
    private readonly IActorRef _reaper;
    private readonly CancellationTokenSource _stopping = new();
    private readonly PendingHandshakes _pending;
    private IActorRef _beat = ActorRefs.Nobody;
    private Socket? _listener;

    public Lane(ActorSystem system, LaneOptions options, LaneIdentity identity, TimeProvider time, ClusterCredentials? credentials = null)
    {
        _system = system;
        _node = new LaneNode(options.Validated(), identity, time, Logging.GetLogger(system, typeof(Lane)), credentials);
        _pending = new PendingHandshakes(options.MaxPendingHandshakes);
        var extended = (ExtendedActorSystem)system;
        _node.Watcher = extended.SystemActorOf(LaneWatcherActor.Props(_node));
        _reaper = extended.SystemActorOf(PayloadReaper.Props(identity.Self, _node.Counters));
    }

    public NodeId Self => _node.Identity.Self;

    public LaneStatistics Statistics => _node.Counters.Read(
        _node.Peers.Values.Sum(p => p.Connections), [.. _node.Peers.Values.SelectMany(p => p.QueueCounts)]);

    /// <summary>Listens. Throws <see cref="InvalidDataException"/> when the address cannot be had.</summary>
    public async Task<LaneEndpoint> StartAsync()
    {
        var options = _node.Options;
        try
        {
            var address = IPAddress.TryParse(options.Host, out var parsed)
                ? parsed
                : (await Dns.GetHostAddressesAsync(options.Host).ConfigureAwait(false))[0];
            _listener = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
            _listener.Bind(new IPEndPoint(address, options.Port));
            _listener.Listen(128);
        }
        catch (SocketException e)
        {
            _listener?.Dispose();
            throw new InvalidDataException(
                $"Lane: cannot listen on port {options.Port} of \"{options.Host}\": {e.Message}. Free the port or set another one (0: any).", e);
        }
        _node.Track(AcceptAsync(_listener));
        _beat = ((ExtendedActorSystem)_system).SystemActorOf(LaneBeatActor.Props(_node));
        return new LaneEndpoint(options.Host, ((IPEndPoint)_listener.LocalEndPoint!).Port);
    }

    /// <summary>From now on the lane delivers to this actor, until it ends or is unregistered.</summary>
    public LaneTarget Register(IActorRef actor)
    {
        var target = _node.Targets.Add(actor);
        _node.Watcher.Tell(new LaneWatcherActor.Watch(actor));
        return target;
    }

    /// <summary>What comes for it later is answered by Gone.</summary>
    public void Unregister(LaneTarget target) => _node.Targets.Remove(target.Path, target.Uid);

    /// <summary>
    /// The nodes of a plan. Connections with nodes it does not name (or names in another incarnation) end. An epoch below the current one
    /// is ignored.
    /// </summary>
    public void SetPeers(long planEpoch, IEnumerable<NodeProtocol.NodeAddress> nodes)
    {
        if (planEpoch < _node.Plan.Epoch) return;
        var peers = nodes.Where(n => n.Node != Self).ToFrozenDictionary(n => n.Node, n => n.Lane);
        _node.Plan = new LanePlan(planEpoch, peers);
        foreach (var (node, peer) in _node.Peers)
        {
            if (peers.ContainsKey(node)) continue;
            _node.Peers.TryRemove(node, out _);
            peer.Close($"not in the plan of epoch {planEpoch}");
        }
        if (!_node.Options.KeepConnected) return;
        foreach (var node in peers.Keys) _node.PeerOf(node).Tick(wasAsleep: false);
    }

    /// <summary>The other nodes of the plan.</summary>
    public IEnumerable<NodeId> Peers => _node.Plan.Peers.Keys;

    /// <summary>Where the plan's node listens; null for a node that is not in the plan.</summary>
    public LaneEndpoint? EndpointOf(NodeId node) => _node.Plan.Peers.TryGetValue(node, out var endpoint) ? endpoint : null;

    public bool IsLocal(LaneTarget target) => target.Node == Self;

    /// <summary>To <see cref="LanePeerUp"/>, <see cref="LanePeerLost"/> and <see cref="LaneRanOut"/>.</summary>
    public void Subscribe(IActorRef actor) => _node.Subscribe(actor);

    public void Unsubscribe(IActorRef actor) => _node.Unsubscribe(actor);

    /// <summary>
    /// Never waits. The payload is the lane's from here on in all cases: delivered to the target, or disposed. What cannot be delivered
    /// comes back to <paramref name="sender"/> as <see cref="LaneFailed"/>. To another node the payload must be a
    /// <see cref="BytesPayload"/>. A request with a reply address on this node reserves room for its one response, which is sent with
    /// <see cref="LaneClass.Response"/> to the envelope's reply address.
    /// </summary>
    public void Send(LaneTarget to, LaneClass laneClass, ILaneMessage message, Payload? payload, LaneTarget? replyTo, IActorRef? sender)
    {
        if (IsLocal(to))
        {
            Deliver(to, message, payload, replyTo, sender);
            return;
        }
        if (payload is not null and not BytesPayload)
        {
            payload.Dispose();
            throw new ArgumentException($"Lane: a {payload.GetType().Name} cannot leave its process. Copy it into a {nameof(BytesPayload)}.");
        }
        // Without a request to answer nobody has reserved room: then it needs credit like anything else.
        if (laneClass == LaneClass.Response && to.Request == 0) laneClass = LaneClass.Control;
        if (laneClass != LaneClass.Response) to = to with { Request = 0 };
        var item = new Outgoing(_node.NextMessageId(), to, laneClass, message, payload, replyTo, replyTo?.Node == Self, sender);
        var failure = _node.IsStopped ? LaneFailure.Stopped
            : item.PayloadBytes > _node.Options.MaxMessageBytes ? LaneFailure.TooLarge
            : !_node.Plan.Peers.ContainsKey(to.Node) ? LaneFailure.UnknownPeer
            : (LaneFailure?)null;
        if (failure is { } reason)
        {
            _node.Counters.Failed();
            item.Fail(reason, $"Lane: {item.PayloadBytes} bytes for \"{to.Node}\" were not sent.");
            return;
        }
        _node.PeerOf(to.Node).Send(item);
    }

    public async ValueTask DisposeAsync()
    {
        if (!_node.Stop()) return;
        await _stopping.CancelAsync().ConfigureAwait(false);
        _listener?.Dispose();
        foreach (var peer in _node.Peers.Values) peer.Close("this node's lane has ended");
        while (_node.Running is { Count: > 0 } running)
            await Task.WhenAll(running).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        foreach (var actor in (IActorRef[])[_beat, _node.Watcher, _reaper]) _system.Stop(actor);
        _stopping.Dispose();
    }

    private void Deliver(LaneTarget to, ILaneMessage message, Payload? payload, LaneTarget? replyTo, IActorRef? sender)
    {
        if (_node.Targets.Find(to.Path, to.Uid) is { } target)
        {
            target.Actor.Tell(new LaneEnvelope(message, payload, replyTo), sender);
            return;
        }
        payload?.Dispose();
        _node.Counters.Failed();
        sender?.Tell(new LaneFailed(to with { Request = 0 }, message, LaneFailure.Gone), ActorRefs.NoSender);
    }

    private async Task AcceptAsync(Socket listener)
    {
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        while (!_stopping.IsCancellationRequested)
        {
            try
            {
                Accept(await listener.AcceptAsync(_stopping.Token).ConfigureAwait(false));
            }
            catch (SocketException e)
            {
                // Out of descriptors, or the peer has gone already: the listener itself lives on.
                _node.Log.Warning("Lane could not accept a connection: {Reason}", e.Message);
                await Task.Delay(_node.Options.HeartbeatInterval, _node.Time, CancellationToken.None).ConfigureAwait(false);
            }
            catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException)
            {
                return;
            }
        }
    }

    private void Accept(Socket socket)
    {
        socket.NoDelay = true;
        _node.Track(ServeAsync(new InboundConnection(
            _node, new NetworkStream(socket, ownsSocket: true), socket.RemoteEndPoint?.ToString() ?? "unknown")));
    }

    private async Task ServeAsync(InboundConnection connection)
    {
        _node.CountInbound(1);
        await using var end = _stopping.Token.Register(() => connection.Close("this node's lane has ended")).ConfigureAwait(false);
        try
        {
            await connection.RunAsync(_pending.Enter(connection)).ConfigureAwait(false);
        }
        finally
        {
            _node.CountInbound(-1);
        }
    }
}
