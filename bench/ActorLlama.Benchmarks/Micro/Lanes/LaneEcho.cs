using ActorLlama.Protocol;
using ActorLlama.Runtime.Lanes;
using Akka.Actor;
using Akka.Configuration;

namespace ActorLlama.Benchmarks.Micro.Lanes;

/// <summary>The product's path: an actor's request over the lane to an actor of another node, which answers with a payload of the same size.</summary>
public sealed class LaneEcho : IAsyncDisposable
{
    private static readonly ExpertProtocol.Run s_request = new(new CallId(new BatchId(1, 1, 0, 0), 0, 0, 0), 1, [0]);
    private readonly ActorSystem _systemA, _systemB;
    private readonly Lane _a, _b;
    private readonly IActorRef _client;

    private LaneEcho(ActorSystem systemA, ActorSystem systemB, Lane a, Lane b, int bytes)
    {
        (_systemA, _systemB, _a, _b) = (systemA, systemB, a, b);
        var server = b.Register(systemB.ActorOf(Props.Create(() => new Server(b)), "server"));
        _client = systemA.ActorOf(Props.Create(() => new Client(a, server, bytes)), "client");
    }

    public static async Task<LaneEcho> StartAsync(int bytes)
    {
        var (systemA, a, addressA) = await StartNodeAsync("a");
        var (systemB, b, addressB) = await StartNodeAsync("b");
        a.SetPeers(1, [addressA, addressB]);
        b.SetPeers(1, [addressA, addressB]);
        return new LaneEcho(systemA, systemB, a, b, bytes);
    }

    /// <summary>That many round trips, one after the other: from the client's mailbox to the client's mailbox.</summary>
    public Task RoundTripsAsync(int count)
    {
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _client.Tell(new Go(count, done));
        return done.Task.WaitAsync(TimeSpan.FromSeconds(10));
    }

    public async ValueTask DisposeAsync()
    {
        await _a.DisposeAsync();
        await _b.DisposeAsync();
        await Task.WhenAll(_systemA.Terminate(), _systemB.Terminate());
    }

    private static async Task<(ActorSystem System, Lane Lane, NodeProtocol.NodeAddress Address)> StartNodeAsync(string name)
    {
        var system = ActorSystem.Create(name, ConfigurationFactory.ParseString("akka.loglevel = WARNING"));
        var self = new NodeId($"akka.tcp://{name}@127.0.0.1:1", 1);
        var lane = new Lane(system, new LaneOptions(), new LaneIdentity(self, new(ProtocolVersion.Current, "digest", "print")), TimeProvider.System);
        return (system, lane, new(self, name, await lane.StartAsync()));
    }

    private sealed record Go(int Count, TaskCompletionSource Done) : INoSerializationVerificationNeeded;

    private sealed class Client : UntypedActor
    {
        private readonly Lane _lane;
        private readonly LaneTarget _server, _self;
        private readonly int _bytes;
        private TaskCompletionSource? _done;
        private int _left;

        public Client(Lane lane, LaneTarget server, int bytes) => (_lane, _server, _bytes, _self) = (lane, server, bytes, lane.Register(Self));

        protected override void OnReceive(object message)
        {
            switch (message)
            {
                case Go go:
                    (_done, _left) = (go.Done, go.Count);
                    Next();
                    break;
                case LaneEnvelope { Message: ExpertProtocol.Ran, Payload: { } payload }:
                    payload.Dispose();
                    Next();
                    break;
                default:
                    _done!.SetException(new IOException($"Lane echo: {message}"));
                    break;
            }
        }

        private void Next()
        {
            if (_left-- == 0) _done!.SetResult();
            else _lane.Send(_server, LaneClass.Request, s_request, BytesPayload.Rent(_bytes), _self, Self);
        }
    }

    private sealed class Server(Lane lane) : UntypedActor
    {
        protected override void OnReceive(object message)
        {
            if (message is not LaneEnvelope { Message: ExpertProtocol.Run run, Payload: BytesPayload rows, ReplyTo: { } replyTo })
            {
                Unhandled(message);
                return;
            }
            lane.Send(replyTo, LaneClass.Response, new ExpertProtocol.Ran(run.Call), rows, null, Self);
        }
    }
}
