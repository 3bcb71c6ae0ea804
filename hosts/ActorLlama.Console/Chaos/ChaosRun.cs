using System.Collections.Immutable;
using System.Diagnostics;
using ActorLlama.Client;
using ActorLlama.Protocol;

namespace ActorLlama.Cli;

/// <summary>One scenario on a cluster of its own: for each seed and fault a load, the fault, and what the sessions got.</summary>
internal sealed class ChaosRun : IAsyncDisposable
{
    private static readonly TimeSpan s_answer = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan s_poll = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan s_mended = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan s_ended = TimeSpan.FromSeconds(120);
    private readonly Dictionary<int, (ImmutableArray<ImmutableArray<int>> Ids, TimeSpan Pause)> _undisturbed = [];
    private readonly ChaosScenario _scenario;
    private readonly Attachment _attachment;

    private readonly ChaosNetwork? _network;

    private ChaosRun(ChaosScenario scenario, Attachment attachment, ChaosNetwork? network) => (_scenario, _attachment, _network) = (scenario, attachment, network);

    private LocalCluster Cluster => _attachment.Own!;

    public static async Task<ChaosRun> StartAsync(ChaosScenario scenario, string model, string? logs, CancellationToken cancellation)
    {
        var network = scenario.Hosts ? await ChaosNetwork.StartAsync(scenario.Nodes, cancellation) : null;
        try
        {
            return new(scenario, await Attachment.ToOwnAsync(scenario.ClusterOptions(model, logs, network), cancellation, _ => { }), network);
        }
        catch
        {
            if (network is not null) await network.DisposeAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _attachment.DisposeAsync();
        if (_network is not null) await _network.DisposeAsync();
    }

    /// <summary>Does it, and waits until the sessions have ended. Throws <see cref="LocalNodeException"/> when the cluster cannot be mended before.</summary>
    public async Task<ChaosOutcome> RunAsync(ChaosFault fault, int seed, CancellationToken cancellation)
    {
        var random = new Random(seed);
        await MendAsync(cancellation);
        var contact = await ContactAsync(fault, random, cancellation);
        await using var connection = await ClusterConnection.ConnectAsync(contact, Cluster.Certificates, s_mended, cancellation);
        var load = new ChaosLoad(connection, _scenario, _attachment.Model.Shape.VocabSize);
        var undisturbed = await UndisturbedAsync(load, seed, cancellation);

        using var ending = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var streams = load.Open(seed, ending.Token);
        await ReachAsync(fault.When, streams, random, cancellation);
        var status = await connection.GetStatusAsync(s_answer, cancellation);
        var (at, utc) = (Stopwatch.GetTimestamp(), DateTime.UtcNow);
        if (fault.When is ChaosPhase.Replanning or ChaosPhase.Loading) status = await LoseAStageAsync(fault.When, status, connection, random, cancellation);
        var victim = ChaosVictim.Of(status, fault.Role, contact, random);
        var inPhase = streams.Count(s => IsIn(fault.When, s, status));
        if (fault.When is not (ChaosPhase.Replanning or ChaosPhase.Loading)) (at, utc) = (Stopwatch.GetTimestamp(), DateTime.UtcNow);
        var number = Cluster.Nodes.Index().FirstOrDefault(n => n.Item.Name == victim?.Node.Name);
        var deed = number.Item is null
            ? Task.CompletedTask
            : new ChaosDeeds(Cluster, _network, connection).DoAsync(fault, number.Index, cancellation);
        var outlived = deed.ContinueWith(_ => streams.Any(s => !s.Reading.IsCompleted), CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        var all = Task.WhenAll(streams.Select(s => s.Reading));
        var ended = await Task.WhenAny(all, Task.Delay(s_ended, cancellation)) == all;
        await deed;
        await ending.CancelAsync();
        var history = await connection.GetEventsAsync(s_answer, cancellation);
        return new ChaosOutcome
        {
            Scenario = _scenario.Name,
            Seed = seed,
            Fault = fault,
            Victim = victim?.Node.Name ?? "",
            Held = victim?.Holds ?? "",
            InPhase = inPhase,
            Sessions = streams.Length,
            Pauses = [.. streams.Select(s => s.LongestPauseSince(at))],
            UndisturbedPause = undisturbed.Pause,
            Faults =
            [
                .. ChaosInvariants.Broken(fault, victim is not null, inPhase, undisturbed.Ids, streams, at, ended),
                .. fault.Do is ChaosDeed.Drain or ChaosDeed.Roll && !await outlived ? ["it does not count: all sessions had ended before it was over"] : Array.Empty<string>(),
            ],
            Timeline = [.. ChaosTimeline.Read(Cluster.LogFolder, history, utc, DateTime.UtcNow)],
        };
    }

    /// <summary>Starts what has ended anew, and waits until all nodes are members and everything is loaded.</summary>
    private async Task MendAsync(CancellationToken cancellation)
    {
        await Cluster.MendAsync(cancellation);
        await using var connection = await ClusterConnection.ConnectAsync(Cluster.Address, Cluster.Certificates, s_mended, cancellation);
        var clock = Stopwatch.StartNew();
        while (await LocalCluster.TryGetStatusAsync(connection, cancellation) is not { State: ClusterState.Ready } status || status.Nodes.Length != _scenario.Nodes)
        {
            if (clock.Elapsed > s_mended) throw new LocalNodeException($"Chaos: \"{_scenario.Name}\" is not ready {s_mended.TotalSeconds} s after its nodes were started (logs: {Cluster.LogFolder})");
            await Task.Delay(s_poll, cancellation);
        }
    }

    /// <summary>Where the client comes in: not where the fault will be, unless it is meant so.</summary>
    private async Task<string> ContactAsync(ChaosFault fault, Random random, CancellationToken cancellation)
    {
        await using var connection = await ClusterConnection.ConnectAsync(Cluster.Address, Cluster.Certificates, s_mended, cancellation);
        var status = await connection.GetStatusAsync(s_answer, cancellation);
        if (fault.Role == ChaosRole.Contact) return status.Nodes[random.Next(status.Nodes.Length)].Node.Address;
        var likely = ChaosVictim.Of(status, fault.Role, "", random)?.Node.Node;
        // Beside the trunk, where nodes of one role cannot be the victim.
        return status.Nodes.OrderBy(n => n.Node == likely).ThenBy(n => n.Shards.Length > 0 && fault.Role == ChaosRole.Expert).ThenBy(n => n.Stages.Length == 0).First().Node.Address;
    }

    private async Task<(ImmutableArray<ImmutableArray<int>> Ids, TimeSpan Pause)> UndisturbedAsync(ChaosLoad load, int seed, CancellationToken cancellation)
    {
        if (_undisturbed.TryGetValue(seed, out var known)) return known;
        var streams = load.Open(seed, cancellation);
        await Task.WhenAll(streams.Select(s => s.Reading)).WaitAsync(s_ended, cancellation);
        if (streams.FirstOrDefault(s => s.Failure is not null || s.Count != _scenario.Tokens) is { } failed)
            throw new LocalNodeException($"Chaos: \"{_scenario.Name}\": a session ended after {failed.Count} of {_scenario.Tokens} tokens though nothing disturbed it: {failed.Failure}");
        return _undisturbed[seed] = ([.. streams.Select(s => s.Ids)], streams.Max(s => s.LongestPauseSince(0)));
    }

    /// <summary>Waits until the sessions are where the fault is to meet them: at a token drawn by chance.</summary>
    private async Task ReachAsync(ChaosPhase phase, ImmutableArray<ChaosStream> streams, Random random, CancellationToken cancellation)
    {
        if (phase == ChaosPhase.Prefill)
        {
            await Task.WhenAll(streams.Select(s => s.Opened)).WaitAsync(s_ended, cancellation);
            return;
        }

        var token = random.Next(_scenario.Tokens / 10, _scenario.Tokens / 2);
        foreach (var stream in streams) await stream.WaitForAsync(token, cancellation);
    }

    /// <summary>
    /// Kills the node of stage 0, and returns how the cluster is when the fault is to come: before it has a new plan, its nodes those that are left; or while the plan's parts are
    /// loaded.
    /// </summary>
    private async Task<ClusterProtocol.Status> LoseAStageAsync(
        ChaosPhase phase, ClusterProtocol.Status before, ClusterConnection connection, Random random, CancellationToken cancellation)
    {
        var first = before.Nodes.Single(n => n.Stages.Any(s => s.Placement is { Pipeline: 0, Index: 0 }));
        Cluster.Nodes.Single(n => n.Name == first.Name).Send(LocalNode.SigKill);
        if (phase == ChaosPhase.Replanning)
        {
            await Task.Delay(random.Next(0, 150), cancellation);
            return before with { State = ClusterState.Forming, Nodes = before.Nodes.Remove(first) };
        }

        while (true)
        {
            var now = await LocalCluster.TryGetStatusAsync(connection, cancellation);
            if (now is { State: ClusterState.Loading or ClusterState.Ready } && now.Plan.Epoch > before.Plan.Epoch) return now;
            await Task.Delay(5, cancellation);
        }
    }

    private bool IsIn(ChaosPhase phase, ChaosStream stream, ClusterProtocol.Status status) => !stream.Reading.IsCompleted && phase switch
    {
        ChaosPhase.Prefill => stream.Count == 0,
        ChaosPhase.Loading => status.State == ClusterState.Loading,
        _ => stream.Count > 0 && stream.Count < _scenario.Tokens,
    };
}
