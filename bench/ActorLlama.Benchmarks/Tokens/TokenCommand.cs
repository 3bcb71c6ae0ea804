using System.ComponentModel;
using System.Diagnostics;
using ActorLlama.Benchmarks.Clusters;
using ActorLlama.Cli;
using ActorLlama.Protocol;
using Spectre.Console;
using Spectre.Console.Cli;

namespace ActorLlama.Benchmarks.Tokens;

/// <summary>
/// One session decodes: of a token's time, what devices spend in stages and in experts (one after the other, as one token has one path
/// through the model), and the rest: actors, lanes, waiting. Rounds of the two clusters alternate.
/// </summary>
internal sealed class TokenCommand : AsyncCommand<TokenCommand.Settings>
{
    internal sealed class Settings : CommandSettings
    {
        [CommandOption("--model <DIR>")]
        [DefaultValue("models/bard")]
        public string Model { get; init; } = "models/bard";

        [CommandOption("--tokens <N>")]
        [Description("Tokens of a round.")]
        [DefaultValue(400)]
        public int Tokens { get; init; } = 400;

        [CommandOption("--rounds <N>")]
        [DefaultValue(7)]
        public int Rounds { get; init; } = 7;
    }

    public override async Task<int> ExecuteAsync(CommandContext context, Settings settings, CancellationToken cancellation)
    {
        await using var one = await BenchCluster.StartAsync(new LocalClusterOptions(1, settings.Model));
        await using var three = await BenchCluster.StartAsync(new LocalClusterOptions(3, settings.Model));
        (string Name, BenchCluster Cluster, List<TokenSplit> Splits)[] runs = [("1 process", one, []), ("3 processes", three, [])];
        for (var round = -1; round < settings.Rounds; round++)
            foreach (var (_, cluster, splits) in runs)
            {
                var split = await MeasureAsync(cluster, settings.Tokens);
                // The first round compiles.
                if (round >= 0) splits.Add(split);
            }

        var table = new Table().AddColumns("per token", "wall µs", "stages µs", "experts µs", "rest µs", "rest %", "lane bytes");
        foreach (var (name, _, splits) in runs)
        {
            var median = splits.OrderBy(s => s.WallMicros).ElementAt(splits.Count / 2);
            table.AddRow(
                name, $"{median.WallMicros:0}", $"{median.StageMicros:0}", $"{median.ExpertMicros:0}", $"{median.RestMicros:0}",
                $"{100 * median.RestMicros / median.WallMicros:0.0}", $"{median.LaneBytes:0}");
        }

        AnsiConsole.Write(table);
        return 0;
    }

    private static async Task<TokenSplit> MeasureAsync(BenchCluster cluster, int tokens)
    {
        var before = await cluster.AtRestAsync();
        var clock = new Stopwatch();
        var stream = cluster.Generate(new Random(1), 8, tokens + 1);
        await foreach (var token in stream)
            if (token.Index == 0) clock.Start();
        clock.Stop();
        var after = await cluster.AtRestAsync();
        return new TokenSplit(
            clock.Elapsed.TotalMicroseconds / tokens, Spent(c => c.StageMicros), Spent(c => c.ExpertMicros), Spent(c => c.LaneBytesSent));

        double Spent(Func<NodeProtocol.NodeCounters, long> of) =>
            (after.Nodes.Sum(n => of(n.Counters)) - before.Nodes.Sum(n => of(n.Counters))) / (double)tokens;
    }
}
