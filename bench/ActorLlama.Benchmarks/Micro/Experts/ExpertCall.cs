using ActorLlama.Checkpoints;
using ActorLlama.Model;
using ActorLlama.Protocol;
using ActorLlama.Runtime.Configuration;
using ActorLlama.Runtime.Devices;
using ActorLlama.Runtime.Lanes;
using ActorLlama.Runtime.Nodes;
using Akka.Actor;
using BenchmarkDotNet.Attributes;

namespace ActorLlama.Benchmarks.Micro.Experts;

/// <summary>One row through one expert of the sample model on the own device: by the actors (router, expert, router), beside the bare weights.</summary>
public class ExpertCall
{
    private const int Calls = 200;
    private Checkpoint _checkpoint = null!;
    private CpuBackend _backend = null!;
    private NodeDevice _device = null!;
    private ExpertGroup _bare = null!;
    private ActorSystem _system = null!;
    private Lane _lane = null!;
    private IActorRef _desk = null!;

    /// <summary>The checkpoint folder; from the environment, as benchmarks have no arguments of their own.</summary>
    public static string Model => Environment.GetEnvironmentVariable("BENCH_MODEL") ?? "models/bard";

    [GlobalSetup]
    public async Task StartAsync()
    {
        var options = NodeOptionsReader.Read(HoconFiles.Load(null, [$"actorllama.model.path=\"{Path.GetFullPath(Model)}\""]));
        _checkpoint = CheckpointDirectory.Open(options.Model.Path);
        var config = _checkpoint.Config;
        _backend = new CpuBackend(0, 1, ActivationType.Float32, config);
        _bare = ExpertGroup.Load(_backend, config, 0, config.Experts, _checkpoint);
        _system = ActorSystem.Create("bench", Akka.Configuration.ConfigurationFactory.ParseString($"akka.loglevel = WARNING\n{NodeDevice.DispatcherHocon(0)}"));
        var self = new NodeId("akka.tcp://bench@127.0.0.1:1", 1);
        var model = new NodeModel
        {
            Checkpoint = _checkpoint,
            Tokenizer = null,
            Shape = ModelShapes.Of(_checkpoint, ActivationType.Float32),
            Identity = new(ProtocolVersion.Current, _checkpoint.Digest, _backend.NumericFingerprint),
            AllowNaN = false,
        };
        _lane = new Lane(_system, options.Lane, new LaneIdentity(self, model.Identity), TimeProvider.System);
        var device = _device = new NodeDevice(options.Devices[0], _backend, NodeDevice.DispatcherName(0), new DeviceLoader("cpu:0", options.Model.LoadStall));
        var placement = new ShardPlacement(0, 0, 0, config.Experts, new DeviceId(self, "cpu:0"), 0, 1);
        var board = new RouteBoard { Assigned = new(new PlacementPlan(1, [], [placement], 1, []), [], []) };
        var node = new NodeContext(options, self, model, _lane, default, board, new NodeGauges(), TimeProvider.System);
        _desk = _system.ActorOf(Props.Create(() => new ExpertDesk(node, device, placement, _bare)).WithDispatcher(device.Dispatcher), "desk");
        await RunAsync(throughActors: true);
    }

    [GlobalCleanup]
    public async Task EndAsync()
    {
        await _system.Terminate();
        await _lane.DisposeAsync();
        _bare.Dispose();
        _device.Dispose();
        _checkpoint.Dispose();
    }

    [Benchmark(Baseline = true, OperationsPerInvoke = Calls)]
    public Task Bare() => RunAsync(throughActors: false);

    [Benchmark(OperationsPerInvoke = Calls)]
    public Task Actors() => RunAsync(throughActors: true);

    private Task RunAsync(bool throughActors)
    {
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _desk.Tell(new ExpertDesk.Work(Calls, throughActors, done));
        return done.Task.WaitAsync(TimeSpan.FromSeconds(30));
    }
}
