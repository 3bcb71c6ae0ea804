using System.Collections.Immutable;
using System.Diagnostics;
using System.Globalization;

namespace ActorLlama.Cli;

/// <summary>
/// Trains over node processes of its own while something happens to one after the other, each in a phase of a step, and compares what was learned with a run that nothing disturbed.
/// </summary>
internal sealed class TrainingChaos : IDisposable
{
    private const int Slots = 6;

    /// <summary>Who says nothing for longer has been taken out of the cluster.</summary>
    private const int SilenceMs = 3500;

    private static readonly TimeSpan s_run = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan s_back = TimeSpan.FromMinutes(1);
    private readonly ChildThread _children = new();
    private readonly TrainingChaosOptions _options;
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("actorllama-chaos-");
    private readonly string? _logs;
    private readonly ChaosCertificates? _certificates;

    /// <param name="options">What happens.</param>
    /// <param name="logs">Where nodes' logs are kept, or null.</param>
    public TrainingChaos(TrainingChaosOptions options, string? logs)
    {
        (_options, _logs, _certificates) = (options, logs, options.Tls ? new ChaosCertificates(TrainingChaosOptions.Nodes) : null);
        var shape = _folder.CreateSubdirectory("shape");
        File.Copy(ProgramFiles.Shape("tiny-maverick"), Path.Combine(shape.FullName, "config.json"));
    }

    private string Runs => Path.Combine(_folder.FullName, "runs");

    public void Dispose()
    {
        _children.Dispose();
        _certificates?.Dispose();
        _folder.Delete(recursive: true);
    }

    /// <summary>One seed's run, on nodes of its own. Throws <see cref="LocalNodeException"/> when it cannot be made.</summary>
    public async Task<TrainingChaosOutcome> RunAsync(int seed, bool waits, CancellationToken cancellation)
    {
        var undisturbed = await UndisturbedAsync(cancellation);
        var random = new Random(seed);
        var phases = Directory.CreateDirectory(Path.Combine(_folder.FullName, $"phases-{seed}")).FullName;
        var network = _options.Hosts ? await ChaosNetwork.StartAsync(TrainingChaosOptions.Nodes, cancellation) : null;
        try
        {
            await using var cluster = await LocalCluster.StartAsync(NodesOf(seed, phases, network), cancellation);
            var clock = Stopwatch.StartNew();
            var name = $"seed-{seed}";
            using var client = await TrainAsync(
                name, ["--cluster", cluster.Address, .. _certificates is null ? Array.Empty<string>() : ["--certificates", _certificates.Client]], TrainingChaosOptions.Nodes, [$"wait_for_replacement={(waits ? "true" : "false")}"]);
            var run = new TrainedRun(Path.Combine(Runs, name));
            var notes = new TrainingNotes(phases);
            var aim = new TrainingAim(cluster, notes);
            var hits = await EndedAsync(client, () => DisturbAsync(_options.FaultsOf(seed), cluster, network, aim, notes, run, () => client.HasExited, random, cancellation), cancellation);
            clock.Stop();
            var learned = run.Learned();
            ImmutableArray<string> faults =
            [
                .. client.ExitCode == 0 ? Array.Empty<string>() : [$"it ended with exit code {client.ExitCode}: {File.ReadLines(LogOf(name)).LastOrDefault()}"],
                .. hits.Length < _options.Faults.Least ? [$"something happened to it only {hits.Length} times"] : Array.Empty<string>(),
                .. run.DifferencesFrom(undisturbed, _options.Steps).Take(4),
                .. notes.Broken(),
            ];
            return new TrainingChaosOutcome(seed, waits, hits, aim.Missed, learned.Length - learned.DistinctBy(told => told.Of).Count(), clock.Elapsed.TotalSeconds, faults);
        }
        finally
        {
            if (network is not null) await network.DisposeAsync();
        }
    }

    /// <summary>One fault after the other, each a few steps after all nodes take part again, until there were enough or the run is over.</summary>
    private async Task<ImmutableArray<TrainingHit>> DisturbAsync(
        IEnumerable<(TrainingPhase Phase, ChaosDeed Do, int ForMs)> faults,
        LocalCluster cluster, ChaosNetwork? network, TrainingAim aim, TrainingNotes notes, TrainedRun run, Func<bool> isOver, Random random, CancellationToken cancellation)
    {
        var hits = ImmutableArray.CreateBuilder<TrainingHit>();
        foreach (var (phase, deed, forMs) in faults)
        {
            var told = run.Told + random.Next(1, _options.MostSteps + 1);
            while (run.Told < told && !isOver()) await Task.Delay(10, cancellation);
            if (await aim.StopInAsync(phase, random, isOver, cancellation) is not { } victim) break;
            hits.Add(new TrainingHit(deed, forMs, phase, victim.Step, victim.Node.Name));
            var loads = notes.LoadsOf(victim.Node.Pid);
            await DoAsync(deed, forMs, cluster.Nodes.Index().First(node => node.Item == victim.Node), network, cancellation);
            await cluster.MendAsync(cancellation);
            // Who was only slow for a while was not replaced.
            if (forMs is > 0 and < SilenceMs) continue;
            var replacement = cluster.Nodes.Single(node => node.Name == victim.Node.Name);
            var clock = Stopwatch.StartNew();
            while (notes.LoadsOf(replacement.Pid) <= (replacement == victim.Node ? loads : 0) && !isOver())
            {
                if (clock.Elapsed > s_back) throw new LocalNodeException($"Chaos: {replacement.Name} takes no part in the run again, {s_back.TotalSeconds} s after {deed} in {phase} (logs: {cluster.LogFolder})");
                await Task.Delay(20, cancellation);
            }
        }

        return hits.ToImmutable();
    }

    /// <summary>To a node that stands still; ends when the fault does.</summary>
    private static async Task DoAsync(ChaosDeed deed, int forMs, (int Index, LocalNode Node) victim, ChaosNetwork? network, CancellationToken cancellation)
    {
        switch (deed)
        {
            case ChaosDeed.Kill:
                victim.Node.Send(LocalNode.SigKill);
                await victim.Node.Exited;
                break;
            case ChaosDeed.Freeze:
                await Task.Delay(forMs, cancellation);
                victim.Node.Send(LocalNode.SigContinue);
                break;
            case ChaosDeed.Cut:
                await network!.PlugAsync(victim.Index, isPlugged: false, cancellation);
                victim.Node.Send(LocalNode.SigContinue);
                await Task.Delay(forMs, cancellation);
                await network.PlugAsync(victim.Index, isPlugged: true, cancellation);
                break;
            default: throw new ArgumentOutOfRangeException(nameof(deed), deed, "Chaos: nothing that happens to a run.");
        }
    }

    /// <summary>The run that nothing disturbs, in one process; made once.</summary>
    private async Task<TrainedRun> UndisturbedAsync(CancellationToken cancellation)
    {
        const string name = "undisturbed";
        var run = new TrainedRun(Path.Combine(Runs, name));
        if (run.Told > 0) return run;
        using var process = await TrainAsync(name, ["--threads", "1"], 1, []);
        await EndedAsync(process, () => Task.FromResult(true), cancellation);
        return process.ExitCode == 0 ? run : throw new LocalNodeException($"Chaos: the undisturbed run failed: {File.ReadLines(LogOf(name)).LastOrDefault()}");
    }

    private string LogOf(string run) => Path.Combine(_folder.FullName, $"{run}.log");

    /// <summary>What is done meanwhile, once the process has ended; it does not outlive this.</summary>
    private static async Task<T> EndedAsync<T>(Process process, Func<Task<T>> meanwhileAsync, CancellationToken cancellation)
    {
        try
        {
            var done = await meanwhileAsync();
            await process.WaitForExitAsync(cancellation).WaitAsync(s_run, cancellation);
            return done;
        }
        catch (TimeoutException e)
        {
            throw new LocalNodeException($"Chaos: a run has not ended after {s_run.TotalMinutes} minutes.", e);
        }
        finally
        {
            if (!process.HasExited) process.Kill();
        }
    }

    private Task<Process> TrainAsync(string run, string[] options, int devices, string[] flags)
    {
        string[] line =
        [
            "-c", "log=$1; shift; exec \"$@\" >/dev/null 2>\"$log\"", "sh", LogOf(run), ProgramPath.DotNet, ProgramPath.Program, "train", .. options, .. _options.Flags, .. flags,
            string.Create(CultureInfo.InvariantCulture, $"per_device_batch_size={(double)Slots / devices}"), $"base_output_directory={Runs}", $"run_name={run}",
        ];
        return _children.StartAsync(new ProcessStartInfo("/bin/sh", line) { UseShellExecute = false });
    }

    private LocalClusterOptions NodesOf(int seed, string phases, ChaosNetwork? network) => new(TrainingChaosOptions.Nodes, Path.Combine(_folder.FullName, "shape"))
    {
        Serves = false,
        LogFolder = _logs is null ? null : Path.Combine(_logs, $"seed-{seed}"),
        Certificates = _certificates?.Client,
        Settings = [.. _certificates is null || _options.Hosts ? Array.Empty<string>() : [_certificates.Setting], "actorllama.node.device-defaults.threads=1", "actorllama.node.offer-interval=200ms", $"actorllama.training.phase-folder={phases}"],
        PrefixOfNode = node => network?.PrefixOf(node) ?? [],
        SettingsOfNode = Enumerable.Range(0, TrainingChaosOptions.Nodes).ToImmutableDictionary(node => node, node => network is null ? [] : ChaosNetwork.SettingsOf(node, _certificates)),
    };
}
