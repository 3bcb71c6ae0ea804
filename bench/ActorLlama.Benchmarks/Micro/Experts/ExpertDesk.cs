using ActorLlama.Model;
using ActorLlama.Protocol;
using ActorLlama.Runtime.Devices;
using ActorLlama.Runtime.Experts;
using ActorLlama.Runtime.Nodes;
using ActorLlama.Runtime.Stages;
using Akka.Actor;

namespace ActorLlama.Benchmarks.Micro.Experts;

/// <summary>Stands in for a stage on a device's thread: has one row computed by the product's router and expert actors, or by the weights directly.</summary>
internal sealed class ExpertDesk : UntypedActor
{
    private readonly NodeContext _node;
    private readonly NodeDevice _device;
    private readonly ExpertGroup _bare;
    private readonly int _layer;
    private readonly float[] _row;
    private readonly int[] _experts = [0];
    private readonly IActorRef _router;
    private Work? _work;
    private int _left;
    private long _batch;

    public ExpertDesk(NodeContext node, NodeDevice device, ShardPlacement placement, ExpertGroup bare)
    {
        (_node, _device, _bare) = (node, device, bare);
        _layer = node.Model.Config.IsMoe.IndexOf(true);
        _row = new float[node.Model.Config.HiddenSize];
        Context.ActorOf(ExpertActor.Props(node, device, placement).WithDispatcher(device.Dispatcher), "expert");
        _router = Context.ActorOf(ExpertRouter.Props(node, device).WithDispatcher(device.Dispatcher), "router");
    }

    /// <summary>That many calls, one after the other.</summary>
    internal sealed record Work(int Calls, bool ThroughActors, TaskCompletionSource Done) : INoSerializationVerificationNeeded;

    protected override void OnReceive(object message)
    {
        switch (message)
        {
            case Work { ThroughActors: false } work:
                for (var i = 0; i < work.Calls; i++)
                {
                    using var rows = Row();
                    _bare.Run(_layer, rows, _experts).Dispose();
                }

                work.Done.SetResult();
                break;
            case Work work:
                (_work, _left) = (work, work.Calls);
                Next();
                break;
            case RouterProtocol.Gathered gathered:
                gathered.Dispose();
                Next();
                break;
            case RouterProtocol.Lost lost:
                _work!.Done.SetException(new InvalidDataException(lost.Message));
                break;
            case DeviceProtocol.ShardHeld held when held.Shard.Expert is not null:
                var routes = new NodeProtocol.Routes(1, 1, ClusterState.Ready, "", [], [held.Shard], []);
                _node.Board.Routes = routes;
                Context.System.EventStream.Publish(new RoutesChanged(routes));
                break;
            case DeviceProtocol.ShardHeld: break;
            default: Unhandled(message); break;
        }
    }

    private void Next()
    {
        if (_left-- == 0) _work!.Done.SetResult();
        else _router.Tell(new RouterProtocol.Dispatch(new BatchId(1, ++_batch, 0, 0), _layer, new Routing([0], Row(), 1)));
    }

    private Activation Row() => _device.Backend.Read(System.Runtime.InteropServices.MemoryMarshal.AsBytes(_row.AsSpan()), 1, _row.Length);
}
