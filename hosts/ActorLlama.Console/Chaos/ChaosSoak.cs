using System.Collections.Immutable;
using System.Diagnostics;
using ActorLlama.Client;

namespace ActorLlama.Cli;

/// <summary>
/// A long run with a random fault every twenty seconds. After each three of them all sessions end, and what is held then is written down. The first node is frozen, cut off and drained
/// like the others, and never killed: what its process holds must not grow.
/// </summary>
internal sealed class ChaosSoak(ChaosRun run, ChaosScenario scenario, ChaosFault fault)
{
    private const int FaultsOfRound = 3;

    /// <summary>Different loads, one round each.</summary>
    private const int Loads = 4;

    private const int ShortestMs = 500;
    private static readonly TimeSpan s_every = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan s_settle = TimeSpan.FromSeconds(4);
    private static readonly TimeSpan s_rest = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan s_offers = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan s_poll = TimeSpan.FromMilliseconds(300);
    private readonly ImmutableArray<ChaosSoakFault>.Builder _faults = ImmutableArray.CreateBuilder<ChaosSoakFault>();
    private readonly ImmutableArray<MemorySample>.Builder _samples = ImmutableArray.CreateBuilder<MemorySample>();
    private readonly ImmutableArray<string>.Builder _broken = ImmutableArray.CreateBuilder<string>();
    private long _answers, _tokens;

    /// <summary>Runs for the fault's time. A round that cannot be ended ends the run, and is told like a broken invariant.</summary>
    /// <param name="seed">Draws faults and sessions.</param>
    /// <param name="tell">Told each fault, and what is held after each round.</param>
    /// <param name="cancellation">Ends it; nothing is told then.</param>
    public async Task<ChaosSoakOutcome> RunAsync(int seed, Action<string> tell, CancellationToken cancellation)
    {
        var random = new Random(seed);
        var clock = Stopwatch.StartNew();
        try
        {
            for (var round = 0; clock.ElapsedMilliseconds < fault.ForMs; round++) await RoundAsync(seed + (round % Loads), random, clock, tell, cancellation);
        }
        catch (Exception e) when (e is LocalNodeException or ClusterUnreachableException or InvalidDataException or TimeoutException)
        {
            _broken.Add($"after {clock.Elapsed.TotalSeconds:0} s it could not go on: {e.Message}");
        }

        _broken.AddRange(_samples.Count < 4 ? ["too few rounds to say whether memory is flat"] : MemoryRules.Faults(_samples));
        return new(clock.Elapsed, _faults.ToImmutable(), _samples.ToImmutable(), _answers, _tokens, _broken.ToImmutable());
    }

    private async Task RoundAsync(int seed, Random random, Stopwatch clock, Action<string> tell, CancellationToken cancellation)
    {
        await run.MendAsync(cancellation);
        await using var connection = await run.ConnectAsync(run.Cluster.Address, cancellation);
        var load = run.LoadOf(connection);
        var undisturbed = await run.UndisturbedAsync(load, seed, cancellation);
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        using var enough = new CancellationTokenSource();
        var streams = load.Open(seed, enough.Token, ending.Token);
        var begun = Stopwatch.GetTimestamp();
        for (var i = 0; i < FaultsOfRound; i++)
        {
            var slot = clock.Elapsed;
            await Task.Delay(s_settle, cancellation);
            var met = await DoAsync(Draw(random), connection, streams, clock, cancellation);
            _faults.Add(met);
            tell($"{met.At.TotalSeconds,6:0} s {met.Do} of {met.Node} ({met.Held}): {met.InPhase} of {streams.Length} sessions decoded, longest pause {met.Pause.TotalMilliseconds:0} ms");
            var left = s_every - (clock.Elapsed - slot);
            if (left > TimeSpan.Zero) await Task.Delay(left, cancellation);
        }

        var ended = await ChaosLoad.EndedAsync(streams, enough, ending);
        cancellation.ThrowIfCancellationRequested();
        _broken.AddRange(ChaosInvariants.Broken(fault, hadRole: true, streams.Length, undisturbed.Ids, streams, begun, ended).Select(b => $"at {clock.Elapsed.TotalSeconds:0} s: {b}"));
        _answers += streams.Sum(s => s.Ended);
        _tokens += streams.Sum(s => (long)s.Ended * scenario.Tokens);
        await RestAsync(connection, clock, tell, cancellation);
    }

    private async Task<ChaosSoakFault> DoAsync(
        (ChaosFault Fault, int Node) drawn, ClusterConnection connection, ImmutableArray<ChaosStream> streams, Stopwatch clock, CancellationToken cancellation)
    {
        var status = await connection.GetStatusAsync(ClusterWait.Answer, cancellation);
        var name = run.Cluster.Nodes[drawn.Node].Name;
        var held = status.Nodes.FirstOrDefault(n => n.Name == name) is { } offer ? ChaosVictim.Describe(status, offer) : "nothing";
        var inPhase = streams.Count(s => !s.Reading.IsCompleted);
        var (at, since) = (Stopwatch.GetTimestamp(), clock.Elapsed);
        await run.DeedsOf(connection).DoAsync(drawn.Fault, drawn.Node, _ => { }, cancellation);
        await run.MendAsync(cancellation);
        // A token after it from everybody, so that the pause is over.
        var seen = streams.Select(s => s.Tokens).ToArray();
        var clear = Stopwatch.StartNew();
        while (streams.Zip(seen).Any(s => !s.First.Reading.IsCompleted && s.First.Tokens == s.Second) && clear.ElapsedMilliseconds < drawn.Fault.BoundMs) await Task.Delay(s_poll, cancellation);
        return new(since, $"{drawn.Fault.Do}", name, held, inPhase, streams.Max(s => s.LongestPauseSince(at)));
    }

    /// <summary>Kills meet all nodes but the first.</summary>
    private (ChaosFault Fault, int Node) Draw(Random random)
    {
        ChaosDeed[] deeds = scenario.Hosts ? [ChaosDeed.Kill, ChaosDeed.Freeze, ChaosDeed.Drain, ChaosDeed.Cut] : [ChaosDeed.Kill, ChaosDeed.Freeze, ChaosDeed.Drain];
        var deed = deeds[random.Next(deeds.Length)];
        var first = deed == ChaosDeed.Kill ? 1 : 0;
        return (new ChaosFault { Do = deed, Role = ChaosRole.Any, ForMs = random.Next(ShortestMs, 6000), BoundMs = fault.BoundMs }, random.Next(first, run.Cluster.Nodes.Count));
    }

    private async Task RestAsync(ClusterConnection connection, Stopwatch clock, Action<string> tell, CancellationToken cancellation)
    {
        var waited = Stopwatch.StartNew();
        var status = await connection.GetStatusAsync(ClusterWait.Answer, cancellation);
        while (waited.Elapsed < s_rest && (waited.Elapsed < s_offers || status.Nodes.Any(n => n.Counters is not { Sessions: 0, LivePayloads: 0, LiveActivations: 0, KvBytes: 0 })))
        {
            await Task.Delay(s_poll, cancellation);
            status = await LocalCluster.TryGetStatusAsync(connection, cancellation) ?? status;
        }

        foreach (var left in status.Nodes.Where(n => n.Counters is not { Sessions: 0, LivePayloads: 0, LiveActivations: 0, KvBytes: 0 }))
            _broken.Add($"left at rest, at {clock.Elapsed.TotalSeconds:0} s on {left.Name}: {left.Counters}");
        var spared = status.Nodes.Single(n => n.Name == run.Cluster.Nodes[0].Name);
        var sample = MemorySample.Of((int)clock.Elapsed.TotalSeconds, [spared]);
        // Weights come and go with the plan.
        sample = sample with { PrivateBytes = sample.PrivateBytes - spared.LoadedBytes() };
        _samples.Add(sample);
        tell($"{sample.At,6} s {spared.Name} at rest, without weights: {sample}");
    }
}

/// <summary>One fault of a long run: when, what, whom it met, what that held, how many sessions ran, and the longest time that one of them had no token for.</summary>
internal sealed record ChaosSoakFault(TimeSpan At, string Do, string Node, string Held, int InPhase, TimeSpan Pause);
