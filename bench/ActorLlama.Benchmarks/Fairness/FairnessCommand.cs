using System.ComponentModel;
using System.Diagnostics;
using ActorLlama.Benchmarks.Clusters;
using ActorLlama.Cli;
using Spectre.Console;
using Spectre.Console.Cli;

namespace ActorLlama.Benchmarks.Fairness;

/// <summary>
/// Long prompts arrive one after the other among sessions that stream: the gaps between the tokens of these before, during and after, beside
/// the time of one chunk of the prompt, measured alone in the same cluster.
/// </summary>
internal sealed class FairnessCommand : AsyncCommand<FairnessCommand.Settings>
{
    private const int Streaming = 8;

    internal sealed class Settings : CommandSettings
    {
        [CommandOption("--prompt <N>")]
        [Description("Tokens of the long prompt.")]
        [DefaultValue(4000)]
        public int Prompt { get; init; } = 4000;

        [CommandOption("--chunk <N>")]
        [Description("Rows of a prompt that run at once (actorllama.scheduler.prefill-chunk).")]
        [DefaultValue(128)]
        public int Chunk { get; init; } = 128;

        [CommandOption("--rounds <N>")]
        [Description("Long prompts among the streaming sessions, and alone.")]
        [DefaultValue(2)]
        public int Rounds { get; init; } = 2;

        [CommandOption("--nodes <N>")]
        [DefaultValue(1)]
        public int Nodes { get; init; } = 1;

        [CommandOption("--noise <PERCENT>")]
        [Description("How far the largest gap may lie above the usual one and a chunk's time; a second chunk would be nearly 100 above.")]
        [DefaultValue(30)]
        public int NoisePercent { get; init; } = 30;
    }

    public override async Task<int> ExecuteAsync(CommandContext context, Settings settings, CancellationToken cancellation)
    {
        using var model = new FairnessModel();
        // A prompt that comes twice is to be computed twice.
        await using var cluster = await BenchCluster.StartAsync(new LocalClusterOptions(settings.Nodes, model.Folder)
        {
            Settings = ["actorllama.scheduler.prefix-sharing=off", $"actorllama.scheduler.prefill-chunk={settings.Chunk}"],
        });
        // The first compiles.
        await FirstTokenAsync(cluster, settings.Prompt);
        var chunk = await ChunkAsync(cluster, settings);
        var clock = Stopwatch.StartNew();
        List<Gap> before = [], during = [], after = [];
        var fewest = int.MaxValue;
        await using (var table = new StreamingTable(cluster, Streaming, settings.Prompt, clock))
        {
            await table.StreamForAsync(TimeSpan.FromSeconds(2));
            var (quiet, pause) = (clock.Elapsed, TimeSpan.FromSeconds(5));
            await table.StreamForAsync(pause);
            for (var round = 0; round < settings.Rounds; round++)
            {
                var sent = clock.Elapsed;
                await FirstTokenAsync(cluster, settings.Prompt);
                var answered = clock.Elapsed;
                await table.StreamForAsync(pause);
                before.AddRange(table.Gaps.Where(g => g.Start >= quiet && g.End <= sent));
                var met = table.Gaps.Where(g => g.Meets(sent, answered)).ToList();
                fewest = Math.Min(fewest, met.GroupBy(g => g.Session).Min(session => session.Count()));
                during.AddRange(met);
                var largest = met.MaxBy(g => g.Millis);
                AnsiConsole.MarkupLineInterpolated($"prompt {round + 1}: first token after {(answered - sent).TotalSeconds:0.0} s; the largest gap, {largest.Millis:0.0} ms, began at {(largest.Start - sent).TotalSeconds:0.0} s");
                after.AddRange(table.Gaps.Where(g => g.Start >= answered));
                quiet = clock.Elapsed;
            }
        }

        return Report(settings, chunk, fewest, GapStatistics.Of(before), GapStatistics.Of(during), GapStatistics.Of(after));
    }

    private static int Report(Settings settings, (double Mean, double Last) chunk, int fewest, GapStatistics before, GapStatistics during, GapStatistics after)
    {
        var table = new Table().AddColumns("gaps between tokens", "count", "median ms", "p99 ms", "max ms");
        foreach (var (name, gaps) in new[] { ("before", before), ("during", during), ("after", after) })
            table.AddRow(name, $"{gaps.Count}", $"{gaps.Median:0.0}", $"{gaps.P99:0.0}", $"{gaps.Max:0.0}");
        AnsiConsole.Write(table);
        var bound = before.Median + chunk.Last;
        var (ratio, most) = (during.Max / bound, 1 + (settings.NoisePercent / 100.0));
        AnsiConsole.MarkupLineInterpolated($"a chunk of {settings.Chunk} alone: {chunk.Mean:0.0} ms on average, {chunk.Last:0.0} ms the last of {settings.Prompt} tokens");
        AnsiConsole.MarkupLineInterpolated($"largest gap / (usual gap + last chunk) = {during.Max:0.0} / {bound:0.0} = {ratio:0.00} (at most {most:0.00})");
        // However slow the machine: as many gaps as chunks, or some gap had two of them.
        var chunks = (settings.Prompt + settings.Chunk - 1) / settings.Chunk;
        AnsiConsole.MarkupLineInterpolated($"gaps of a session while a prompt ran: {fewest} or more, for {chunks} chunks");
        var isFair = ratio <= most && fewest >= chunks;
        AnsiConsole.WriteLine(isFair ? "fair: no token waited for more than one chunk" : "not fair, or too busy a machine: see the gaps before and after");
        return isFair ? 0 : 1;
    }

    /// <summary>
    /// Milliseconds of a chunk when nobody else is there. A prompt's time grows with its length n as a·n + b·n², since later rows attend to
    /// more: from the times of the whole and of half of it follows the rate at its end, where chunks are slowest.
    /// </summary>
    private static async Task<(double Mean, double Last)> ChunkAsync(BenchCluster cluster, Settings settings)
    {
        List<double> whole = [], half = [];
        for (var round = 0; round < settings.Rounds; round++)
        {
            half.Add(await FirstTokenAsync(cluster, settings.Prompt / 2));
            whole.Add(await FirstTokenAsync(cluster, settings.Prompt));
        }

        var (t, bend) = (whole.Average(), Math.Max(0, whole.Average() - (2 * half.Average())));
        var chunks = (double)settings.Prompt / settings.Chunk;
        return (t / chunks, (t + (2 * bend)) / chunks);
    }

    /// <summary>Milliseconds from sending the prompt to its first token.</summary>
    private static async Task<double> FirstTokenAsync(BenchCluster cluster, int promptTokens)
    {
        var clock = Stopwatch.StartNew();
        await cluster.Generate(new Random(7), promptTokens, 1).ReadToEndAsync();
        return clock.Elapsed.TotalMilliseconds;
    }
}
