using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using ActorLlama.Benchmarks.Clusters;
using ActorLlama.Cli;
using ActorLlama.Client;
using ActorLlama.Protocol;
using Spectre.Console;
using Spectre.Console.Cli;

namespace ActorLlama.Benchmarks.Overhead;

/// <summary>
/// What actors add to a token when all of them are on one device: a session's tokens from a node process, beside the bare forward pass on the same weights with as many
/// threads, in turn; after contexts of several lengths.
/// </summary>
internal sealed class OverheadCommand : AsyncCommand<OverheadCommand.Settings>
{
    private static readonly TimeSpan s_warmUp = TimeSpan.FromSeconds(25);

    internal sealed class Settings : CommandSettings
    {
        [CommandArgument(0, "<DIR>")]
        [Description("A checkpoint.")]
        public string Model { get; init; } = "";

        [CommandOption("--threads <N>")]
        [Description("Threads of each. Default: 2.")]
        public int Threads { get; init; } = 2;

        [CommandOption("--contexts <N,N>")]
        [Description("Tokens before those that are measured, ascending. Default: 16.")]
        public string Contexts { get; init; } = "16";

        [CommandOption("--tokens <N>")]
        [Description("Tokens of a round. Default: 32.")]
        public int Tokens { get; init; } = 32;

        [CommandOption("--rounds <N>")]
        [Description("Default: 5.")]
        public int Rounds { get; init; } = 5;

        [CommandOption("--only <SIDE>")]
        [Description("runtime or bare: contexts that take too long for both in one go. Default: both.")]
        public string? Only { get; init; }

        [CommandOption("--ask")]
        [Description("The runtime reads all prompts first, and a line on standard input is waited for before anything is measured: what else uses the machine can stop then.")]
        public bool Asks { get; init; }

        [CommandArgument(1, "[SETTING]")]
        [Description("key=value settings for the node.")]
        public string[] Overrides { get; init; } = [];

        public override ValidationResult Validate() =>
            Only is not (null or "runtime" or "bare") ? ValidationResult.Error($"--only is \"{Only}\"; it is runtime or bare.")
            : Tokens < 1 || Rounds < 1 || Threads < 1 ? ValidationResult.Error($"--tokens, --rounds and --threads are {Tokens}, {Rounds} and {Threads}; each is at least 1.") : ValidationResult.Success();
    }

    public override async Task<int> ExecuteAsync(CommandContext context, Settings settings, CancellationToken cancellation)
    {
        int[] contexts = [.. settings.Contexts.Split(',').Select(n => int.Parse(n, CultureInfo.InvariantCulture))];
        if (contexts[0] < 1 || contexts.Zip(contexts.Skip(1)).Any(pair => pair.First >= pair.Second))
            throw new InvalidDataException($"Bench: --contexts is \"{settings.Contexts}\"; lengths are at least 1 and ascend.");
        await using var cluster = settings.Only == "bare" ? null : await BenchCluster.StartAsync(
            new LocalClusterOptions(1, settings.Model)
            {
                Settings = [$"actorllama.node.device-defaults.threads={settings.Threads}", $"actorllama.plan.kv-positions={2 * contexts[^1] + 8192}", .. settings.Overrides],
            });
        using var bare = settings.Only == "runtime" ? null : new BareDecoder(settings.Model, settings.Threads);
        var random = new Random(1);
        // Below 256 of any vocabulary.
        int[] ids = [.. Enumerable.Range(0, contexts[^1]).Select(_ => random.Next(256))];
        for (var clock = Stopwatch.StartNew(); cluster is not null && clock.Elapsed < s_warmUp;) await RunAsync(cluster, ids[..Math.Min(16, ids.Length)], settings.Tokens);
        if (settings.Asks)
        {
            foreach (var length in contexts)
                if (cluster is not null) await RunAsync(cluster, ids[..length], 1);
            Console.WriteLine("Ready.");
            if (await Console.In.ReadLineAsync(cancellation) is null) throw new InvalidDataException("Bench: --ask, and standard input has ended before a line.");
        }

        Console.WriteLine($"{"context",8}{"runtime ms",12}{"wakes",8}{"bare ms",10}{"more",8}{"bare KV MB",12}{"by 2.8",8}");
        var done = 0;
        foreach (var length in contexts)
        {
            bare?.Run(ids.AsSpan(done, length - done));
            done = length;
            var (ours, wakes, theirs) = (new List<double>(), new List<double>(), new List<double>());
            var (held, formula) = (bare?.KvBytes ?? 0, bare?.KvBytesByFormula ?? 0);
            for (var round = -1; round < settings.Rounds; round++)
            {
                var (a, sleeps) = cluster is null ? default : await RunAsync(cluster, ids[..length], settings.Tokens);
                var b = bare?.Decode(settings.Tokens) ?? 0;
                // The first reads the prompt. Each round has both within a second or two: the machine moves, so rounds are compared, not medians.
                if (round < 0) continue;
                ours.Add(a);
                wakes.Add(sleeps);
                theirs.Add(b);
            }

            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"{length,8}{Medians.Of(ours),12:0.000}{Medians.Of(wakes),8:0.0}{Medians.Of(theirs),10:0.000}{(ours.Count == 0 ? 0 : Medians.Of([.. ours.Zip(theirs, (a, b) => a / b - 1)])),8:P1}{held / 1e6,12:0.0}{formula / 1e6,8:0.0}"));
        }

        return 0;
    }

    /// <summary>Milliseconds of a token, and how often threads of the node and of this process went to sleep for it.</summary>
    private static async Task<(double Millis, double Sleeps)> RunAsync(BenchCluster cluster, int[] prompt, int tokens)
    {
        var arrivals = new List<long>();
        ProcessActivity begun = default;
        int[] processes = [.. cluster.Processes, Environment.ProcessId];
        await foreach (var _ in cluster.Connection.OpenSession(new GenerationRequest(GenerationRequest.Tokens(prompt), tokens + 1) { Sampling = new SamplingOptions(0, 1, 0, 0), IgnoreEos = true }))
        {
            arrivals.Add(Stopwatch.GetTimestamp());
            if (arrivals.Count == 1) begun = ProcessActivity.Of(processes);
        }

        var sleeps = ProcessActivity.Of(processes).Since(begun).Sleeps;
        return (Stopwatch.GetElapsedTime(arrivals[0], arrivals[^1]).TotalMilliseconds / (arrivals.Count - 1), (double)sleeps / (arrivals.Count - 1));
    }
}
