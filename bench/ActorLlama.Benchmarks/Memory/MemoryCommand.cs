using System.ComponentModel;
using ActorLlama.Benchmarks.Clusters;
using ActorLlama.Cli;
using Spectre.Console;
using Spectre.Console.Cli;

namespace ActorLlama.Benchmarks.Memory;

/// <summary>Sessions of random lengths come and go; between rounds, when none is there, what each node holds is written down.</summary>
internal sealed class MemoryCommand : AsyncCommand<MemoryCommand.Settings>
{
    private const int Concurrent = 8;
    private const int LongestPrompt = 300;
    private const int LongestAnswer = 200;

    internal sealed class Settings : CommandSettings
    {
        [CommandOption("--model <DIR>")]
        [DefaultValue("models/bard")]
        public string Model { get; init; } = "models/bard";

        [CommandOption("--nodes <N>")]
        [DefaultValue(1)]
        public int Nodes { get; init; } = 1;

        [CommandOption("--steps <N>")]
        [Description("Decode steps: batches that every session of a round takes part in.")]
        [DefaultValue(10_000)]
        public int Steps { get; init; } = 10_000;

        [CommandOption("--plot <FILE.svg>")]
        public string? Plot { get; init; }
    }

    public override async Task<int> ExecuteAsync(CommandContext context, Settings settings, CancellationToken cancellation)
    {
        MemoryRules.HoldCollector();
        // What is kept of finished sequences would hide what is lost.
        await using var cluster = await BenchCluster.StartAsync(
            new LocalClusterOptions(settings.Nodes, settings.Model) { Settings = ["actorllama.scheduler.prefix-sharing=off"] });
        var random = new Random(1);
        var perRound = Math.Max(1, settings.Steps / 20);
        List<MemorySample> samples = [];
        await FullTableAsync(cluster);
        for (var steps = 0; steps < settings.Steps; steps += perRound)
        {
            await Task.WhenAll(Enumerable.Range(0, Concurrent).Select(i => RunAsync(cluster, new Random(random.Next()), perRound)));
            samples.Add(MemorySample.Of(steps + perRound, (await cluster.AtRestAsync()).Nodes));
            AnsiConsole.MarkupLineInterpolated($"{samples[^1].At,7} steps: {samples[^1]}");
        }

        if (settings.Plot is { } plot) MemoryPlot.Write(plot, "What the nodes hold at rest", "decode steps", samples);
        var faults = MemoryRules.Faults(samples);
        foreach (var fault in faults) AnsiConsole.MarkupLineInterpolated($"[red]{fault}[/]");
        AnsiConsole.WriteLine($"{(faults.Length == 0 ? "flat" : "not flat")} over {settings.Steps} steps; a loss of {MemoryRules.SeenPerUnit(samples):0} bytes a step would show");
        return faults.Length == 0 ? 0 : 1;
    }

    /// <summary>Every place taken at once by the longest session there is: pools are as large afterwards as they will ever be.</summary>
    private static async Task FullTableAsync(BenchCluster cluster) => await Task.WhenAll(Enumerable.Range(0, Concurrent).Select(i =>
        cluster.Generate(new Random(i), LongestPrompt, LongestAnswer).ReadToEndAsync()));

    /// <summary>One place at the table: sessions one after the other, every fifth of them cancelled half way, until the round's steps are done.</summary>
    private static async Task RunAsync(BenchCluster cluster, Random random, int steps)
    {
        for (var left = steps; left > 0;)
        {
            var tokens = Math.Min(left, random.Next(10, LongestAnswer));
            var stream = cluster.Generate(random, random.Next(1, LongestPrompt), tokens);
            var stopAt = random.Next(5) == 0 ? tokens / 2 : tokens;
            await foreach (var token in stream)
                if (token.Index + 1 >= stopAt) break;
            await stream.Completion;
            left -= stopAt;
        }
    }
}
