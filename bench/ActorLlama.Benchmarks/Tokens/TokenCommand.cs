using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using ActorLlama.Benchmarks.Clusters;
using ActorLlama.Cli;
using ActorLlama.Protocol;
using Spectre.Console;
using Spectre.Console.Cli;

namespace ActorLlama.Benchmarks.Tokens;

/// <summary>
/// Sessions decode: of a token's time, what devices spend in stages and in experts (one after the other where there is one session, as one
/// token has one path through the model), and the rest: actors, lanes, waiting. Rounds of the clusters alternate.
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

        [CommandOption("--streams <N>")]
        [Description("Sessions that decode at once.")]
        [DefaultValue(1)]
        public int Streams { get; init; } = 1;

        [CommandOption("--nodes <N,N>")]
        [Description("Processes of each cluster.")]
        [DefaultValue("1,3")]
        public string Nodes { get; init; } = "1,3";

        [CommandOption("--also <NODES;KEY=VALUE;...>")]
        [Description("One more cluster with settings of its own, measured in turn with the others; again for another.")]
        public string[] Also { get; init; } = [];

        [CommandArgument(0, "[SETTING]")]
        [Description("key=value settings for every node.")]
        public string[] Overrides { get; init; } = [];
    }

    public override async Task<int> ExecuteAsync(CommandContext context, Settings settings, CancellationToken cancellation)
    {
        List<(string Name, BenchCluster Cluster, List<TokenSplit> Splits)> runs = [];
        try
        {
            foreach (var (nodes, own) in settings.Nodes.Split(',').Concat(settings.Also).Select(Parse))
                runs.Add((
                    $"{(nodes == 1 ? "1 process" : $"{nodes} processes")} {string.Join(' ', own.Select(s => s[(s.LastIndexOf('.') + 1)..]))}".TrimEnd(),
                    await BenchCluster.StartAsync(new LocalClusterOptions(nodes, settings.Model) { Settings = [.. settings.Overrides, .. own] }), []));
            for (var round = -1; round < settings.Rounds; round++)
                foreach (var (_, cluster, splits) in runs)
                {
                    var split = await MeasureAsync(cluster, settings.Tokens, settings.Streams);
                    // The first round compiles.
                    if (round >= 0) splits.Add(split);
                }
        }
        finally
        {
            foreach (var (_, cluster, _) in runs) await cluster.DisposeAsync();
        }

        Print([.. runs.Select(r => (r.Name, r.Splits))]);
        return 0;
    }

    /// <summary>Processes of a cluster, then its own settings.</summary>
    private static (int Nodes, string[] Settings) Parse(string cluster)
    {
        var parts = cluster.Split(';');
        return (int.Parse(parts[0], CultureInfo.InvariantCulture), parts[1..]);
    }

    /// <summary>Medians; rates beside the first cluster's are medians of those of single rounds, in which the clusters ran one after the other.</summary>
    private static void Print(IReadOnlyList<(string Name, List<TokenSplit> Splits)> runs)
    {
        var table = new Table().AddColumns("per token", "wall µs", "stages µs", "experts µs", "rest µs", "processor µs", "sleeps", "lane bytes", "rate of the first", "of each round");
        foreach (var (name, splits) in runs)
        {
            var median = splits.OrderBy(s => s.WallMicros).ElementAt(splits.Count / 2);
            double[] rates = [.. splits.Zip(runs[0].Splits, (own, first) => 100 * first.WallMicros / own.WallMicros)];
            table.AddRow(
                name, $"{median.WallMicros:0}", $"{median.StageMicros:0}", $"{median.ExpertMicros:0}", $"{median.RestMicros:0}", $"{median.ProcessorMicros:0}", $"{median.Sleeps:0.0}",
                $"{median.LaneBytes:0}", $"{rates.Order().ElementAt(rates.Length / 2):0} %", string.Join(' ', rates.Select(rate => $"{rate:0}")));
        }

        AnsiConsole.Profile.Width = 200;
        AnsiConsole.Write(table);
    }

    /// <summary>All streams decode the same number of tokens; the clock runs from when the last of them has its first one.</summary>
    private static async Task<TokenSplit> MeasureAsync(BenchCluster cluster, int tokens, int streams)
    {
        var before = await cluster.AtRestAsync();
        var (begun, all, timed) = (0, 0, 0);
        var clock = new Stopwatch();
        var activity = ProcessActivity.Of(cluster.Processes);
        await Task.WhenAll(Enumerable.Range(1, streams).Select(seed => Task.Run(async () =>
        {
            await foreach (var token in cluster.Generate(new Random(seed), 8, tokens))
            {
                Interlocked.Increment(ref all);
                if (clock.IsRunning) Interlocked.Increment(ref timed);
                else if (token.Index == 0 && Interlocked.Increment(ref begun) == streams) clock.Start();
            }
        })));
        clock.Stop();
        activity = ProcessActivity.Of(cluster.Processes).Since(activity);
        var after = await cluster.AtRestAsync();
        return new TokenSplit(
            clock.Elapsed.TotalMicroseconds / timed, Spent(c => c.StageMicros), Spent(c => c.ExpertMicros), activity.Processor.TotalMicroseconds / all, activity.Sleeps / (double)all,
            Spent(c => c.LaneBytesSent));

        double Spent(Func<NodeProtocol.NodeCounters, long> of) =>
            (after.Nodes.Sum(n => of(n.Counters)) - before.Nodes.Sum(n => of(n.Counters))) / (double)all;
    }
}
