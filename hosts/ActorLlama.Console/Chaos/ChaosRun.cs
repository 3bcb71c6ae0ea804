using System.Collections.Immutable;
using System.Diagnostics;
using ActorLlama.Client;
using ActorLlama.Protocol;

namespace ActorLlama.Cli;

/// <summary>One scenario on a cluster of its own: for each seed and fault a load, the fault, and what the sessions got.</summary>
internal sealed class ChaosRun : IAsyncDisposable
{
    private static readonly TimeSpan s_try = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan s_poll = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan s_mended = TimeSpan.FromSeconds(60);
    private readonly Dictionary<int, ChaosUndisturbed> _undisturbed = [];
    private readonly ChaosScenario _scenario;
    private readonly Attachment _attachment;

    private readonly ChaosNetwork? _network;
    private readonly ChaosCertificates? _certificates;

    /// <summary>The nodes have had a burst, and keep the memory that it took: they would not need more for another.</summary>
    private bool _hasBurst;

    private ChaosRun(ChaosScenario scenario, Attachment attachment, ChaosNetwork? network, ChaosCertificates? certificates) =>
        (_scenario, _attachment, _network, _certificates) = (scenario, attachment, network, certificates);

    internal LocalCluster Cluster => _attachment.Own!;

    public static async Task<ChaosRun> StartAsync(ChaosScenario scenario, string model, string? logs, CancellationToken cancellation)
    {
        var network = scenario.Hosts ? await ChaosNetwork.StartAsync(scenario.Nodes, cancellation) : null;
        ChaosCertificates? certificates = null;
        try
        {
            certificates = scenario.Tls ? new ChaosCertificates(scenario.Nodes) : null;
            return new(scenario, await Attachment.ToOwnAsync(scenario.ClusterOptions(model, logs, network, certificates), cancellation, _ => { }), network, certificates);
        }
        catch
        {
            certificates?.Dispose();
            if (network is not null) await network.DisposeAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _attachment.DisposeAsync();
        _certificates?.Dispose();
        if (_network is not null) await _network.DisposeAsync();
    }

    /// <summary>Does it, and waits until the sessions have ended. Throws <see cref="LocalNodeException"/> when the cluster cannot be mended before.</summary>
    public async Task<ChaosOutcome> RunAsync(ChaosFault fault, int seed, CancellationToken cancellation)
    {
        var random = new Random(seed);
        await MendAsync(cancellation);
        var contact = await ContactAsync(fault, random, cancellation);
        await using var connection = await ConnectAsync(contact, cancellation);
        var load = LoadOf(connection);
        var undisturbed = await UndisturbedAsync(load, seed, cancellation);
        var aim = new ChaosAim(Cluster, connection, _scenario, contact, random);

        using var ending = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        using var enough = new CancellationTokenSource();
        if (!fault.IsLasting) await enough.CancelAsync();
        var streams = load.Open(seed, enough.Token, ending.Token);
        var (meetings, notes, told) = (ImmutableArray.CreateBuilder<ChaosMeeting>(), ImmutableArray<string>.Empty, ImmutableArray.CreateBuilder<string>());
        var outlived = true;
        for (var turn = 0; turn < fault.Times; turn++)
        {
            if (turn > 0) await MendAsync(cancellation);
            var met = await aim.ReachAsync(fault, turn, streams, undisturbed.FirstToken, cancellation);
            meetings.Add(met);
            var victim = Cluster.Nodes.Index().FirstOrDefault(n => n.Item.Name == met.Victim);
            _hasBurst |= fault.Do == ChaosDeed.Starve;
            if (victim.Item is not null) notes = notes.AddRange(await DeedsOf(connection).DoAsync(fault, victim.Index, told.Add, cancellation));
            outlived &= streams.Any(s => !s.Reading.IsCompleted);
        }

        var ended = await ChaosLoad.EndedAsync(streams, enough, ending);
        cancellation.ThrowIfCancellationRequested();
        var history = await connection.GetEventsAsync(ClusterWait.Answer, cancellation);
        ImmutableArray<(double Ms, string Node, string What)> timeline = [.. ChaosTimeline.Read(Cluster.LogFolder, history, meetings[0].Utc, DateTime.UtcNow)];
        return new ChaosOutcome
        {
            Scenario = _scenario.Title,
            Seed = seed,
            Fault = fault,
            Victim = string.Join(", ", meetings.Select(m => m.Victim).OfType<string>().Distinct()),
            Held = string.Join("; ", meetings.Select(m => m.Held).Distinct()),
            InPhase = meetings.Min(m => m.InPhase),
            Sessions = streams.Length,
            Answers = streams.Sum(s => s.Ended),
            Pauses = [.. streams.Select(s => s.LongestPauseSince(meetings[0].At))],
            UndisturbedPause = undisturbed.Pause,
            Faults =
            [
                .. ChaosInvariants.Broken(fault, meetings.All(m => m.Victim is not null), meetings.Min(m => m.InPhase), undisturbed.Ids, streams, meetings[0].At, ended),
                .. ChaosInvariants.BrokenByHistory(fault, timeline.Select(t => t.What)),
                .. notes,
                .. fault.Do is ChaosDeed.Drain && !outlived ? ["it does not count: all sessions had ended before it was over"] : Array.Empty<string>(),
            ],
            Told = [.. told, .. fault.Do == ChaosDeed.Starve ? ChaosInvariants.Shortages(timeline.Select(t => t.What)).Take(2) : []],
            Timeline = timeline,
        };
    }

    internal Task<ClusterConnection> ConnectAsync(string address, CancellationToken cancellation) =>
        ClusterConnection.ConnectAsync(address, Cluster.Certificates, s_mended, cancellation);

    /// <summary>Through the first node, wherever that is by now. Throws <see cref="ClusterUnreachableException"/> when it does not answer for a while.</summary>
    internal async Task<ClusterConnection> ConnectAsync(CancellationToken cancellation)
    {
        var clock = Stopwatch.StartNew();
        while (true)
        {
            try
            {
                return await ClusterConnection.ConnectAsync(Cluster.Address, Cluster.Certificates, s_try, cancellation);
            }
            catch (ClusterUnreachableException) when (clock.Elapsed < s_mended)
            {
                // It may have been removed, and is about to join again at another address.
            }
        }
    }

    internal ChaosLoad LoadOf(ClusterConnection connection) => LoadOf(connection, _scenario);

    private ChaosLoad LoadOf(ClusterConnection connection, ChaosScenario scenario) => new(connection, scenario, _attachment.Model.Shape.VocabSize);

    internal ChaosDeeds DeedsOf(ClusterConnection connection) => new(Cluster, _network, connection, fault => LoadOf(connection, _scenario.Burst(fault)));

    /// <summary>
    /// Starts what has ended anew, lets what was drained hold parts again, and waits until all nodes are members, everything is loaded, and nodes that came anew have their share.
    /// </summary>
    internal async Task MendAsync(CancellationToken cancellation)
    {
        await Cluster.MendAsync(cancellation);
        var status = await WholeAsync(after: -1, cancellation);
        if (_hasBurst) status = await RenewAsync(cancellation);
        await using var connection = await ConnectAsync(cancellation);
        foreach (var drained in status.Nodes.Where(n => n.IsLeaving)) await connection.DrainAsync(new(drained.Node.HostAndPort, Undo: true, DryRun: false), ClusterWait.Answer, cancellation);
        if (status.Nodes.Any(n => n.IsLeaving)) status = await WholeAsync(status.Plan.Epoch, cancellation);
        if ((await connection.RebalanceAsync(dryRun: false, ClusterWait.Answer, cancellation)).Moves.Length > 0) await WholeAsync(status.Plan.Epoch, cancellation);
    }

    /// <summary>A new process for each node, one after the other.</summary>
    private async Task<ClusterProtocol.Status> RenewAsync(CancellationToken cancellation)
    {
        _hasBurst = false;
        var status = await WholeAsync(after: -1, cancellation);
        for (var i = 0; i < Cluster.Nodes.Count; i++)
        {
            await Cluster.Nodes[i].StopAsync();
            await Cluster.MendAsync(cancellation);
            status = await WholeAsync(status.Plan.Epoch, cancellation);
        }

        return status;
    }

    internal async Task<ChaosUndisturbed> UndisturbedAsync(ChaosLoad load, int seed, CancellationToken cancellation)
    {
        if (_undisturbed.TryGetValue(seed, out var known)) return known;
        var streams = load.Open(seed, cancellation);
        await Task.WhenAll(streams.Select(s => s.Reading)).WaitAsync(ChaosLoad.LongestEnd, cancellation);
        if (streams.FirstOrDefault(s => s.Failure is not null || s.Count != _scenario.Tokens) is { } failed)
            throw new LocalNodeException($"Chaos: \"{_scenario.Name}\": a session ended after {failed.Count} of {_scenario.Tokens} tokens though nothing disturbed it: {failed.Failure}");
        return _undisturbed[seed] = new(
            [.. streams.Select(s => s.Answers[^1])],
            streams.Max(s => s.LongestPauseSince(0)),
            streams.Select(s => s.FirstToken).Order().ElementAt(streams.Length / 2));
    }

    /// <summary>Waits until all nodes are members that can hold parts as they may, and all is loaded by a later plan than <paramref name="after"/>.</summary>
    private async Task<ClusterProtocol.Status> WholeAsync(long after, CancellationToken cancellation)
    {
        var clock = Stopwatch.StartNew();
        while (true)
        {
            // Anew when nobody answers: who was asked may have been removed, and have joined again at another address.
            await using var connection = await ConnectAsync(cancellation);
            while (await LocalCluster.TryGetStatusAsync(connection, cancellation) is { } status && clock.Elapsed < s_mended)
            {
                if (status.State == ClusterState.Ready && status.Nodes.Length == Cluster.Nodes.Count && status.Plan.Epoch > after) return status;
                await Task.Delay(s_poll, cancellation);
            }

            if (clock.Elapsed > s_mended) throw new LocalNodeException($"Chaos: \"{_scenario.Name}\" is not ready {s_mended.TotalSeconds} s after its nodes were started (logs: {Cluster.LogFolder})");
        }
    }

    /// <summary>Where the client comes in: not where the fault will be, unless it is meant so.</summary>
    private async Task<string> ContactAsync(ChaosFault fault, Random random, CancellationToken cancellation)
    {
        await using var connection = await ConnectAsync(cancellation);
        var status = await connection.GetStatusAsync(ClusterWait.Answer, cancellation);
        // Stage 0 goes before the fault where that is aimed at what follows its loss.
        var there = status.Nodes.Where(n => fault.When is not (ChaosPhase.Loading or ChaosPhase.Replanning) || !n.Stages.Any(s => s.Placement.Index == 0)).ToArray();
        if (fault.Role == ChaosRole.Contact) return there[random.Next(there.Length)].Node.Address;

        var likely = ChaosVictim.Of(status, fault.Role, "", random)?.Node.Node;
        // Beside the trunk, where nodes of one role cannot be the victim.
        return there.OrderBy(n => n.Node == likely).ThenBy(n => n.Shards.Length > 0 && fault.Role == ChaosRole.Expert).ThenBy(n => n.Stages.Length == 0).First().Node.Address;
    }
}

/// <summary>What the sessions of a seed get when nothing disturbs them: their tokens, the longest time without one, and the time to the first one of the middle session.</summary>
internal sealed record ChaosUndisturbed(ImmutableArray<ImmutableArray<int>> Ids, TimeSpan Pause, TimeSpan FirstToken);
