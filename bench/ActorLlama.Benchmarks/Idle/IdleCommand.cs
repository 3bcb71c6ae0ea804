using System.ComponentModel;
using System.Globalization;
using ActorLlama.Benchmarks.Clusters;
using ActorLlama.Cli;
using Spectre.Console.Cli;

namespace ActorLlama.Benchmarks.Idle;

/// <summary>What nodes that serve nobody use of a core, with a client attached and without one.</summary>
internal sealed class IdleCommand : AsyncCommand<IdleCommand.Settings>
{
    /// <summary>After a start, and after work, code is still compiled for a while.</summary>
    private static readonly TimeSpan s_settling = TimeSpan.FromSeconds(15);

    internal sealed class Settings : CommandSettings
    {
        [CommandOption("--model <DIR>")]
        [DefaultValue("models/bard")]
        public string Model { get; init; } = "models/bard";

        [CommandOption("--nodes <N,N>")]
        [Description("Processes of each cluster, measured one cluster after the other.")]
        [DefaultValue("1,3")]
        public string Nodes { get; init; } = "1,3";

        [CommandOption("--seconds <N>")]
        [Description("How long each is watched.")]
        [DefaultValue(60)]
        public int Seconds { get; init; } = 60;

        [CommandOption("--bound <PERCENT>")]
        [Description("What a node may use of one core; exit code 1 when one uses more.")]
        [DefaultValue(1.0)]
        public double BoundPercent { get; init; } = 1.0;

        [CommandArgument(0, "[SETTING]")]
        [Description("key=value settings for every node.")]
        public string[] Overrides { get; init; } = [];
    }

    public override async Task<int> ExecuteAsync(CommandContext context, Settings settings, CancellationToken cancellation)
    {
        Console.WriteLine($"{"nodes",5}{"client",9}{"% of a core, each",20}{"wake-ups a second, each",26}");
        var worst = 0.0;
        foreach (var nodes in settings.Nodes.Split(',').Select(n => int.Parse(n, CultureInfo.InvariantCulture)))
        {
            await using var cluster = await BenchCluster.StartAsync(new LocalClusterOptions(nodes, settings.Model) { Settings = [.. settings.Overrides] });
            await cluster.Generate(new Random(1), promptTokens: 8, tokens: 64).ReadToEndAsync(cancellation);
            await WatchAsync("attached");
            await cluster.Connection.DisposeAsync();
            await WatchAsync("none");

            async Task WatchAsync(string client)
            {
                await Task.Delay(s_settling, cancellation);
                var before = cluster.Processes.Select(process => ProcessActivity.Of([process])).ToArray();
                await Task.Delay(TimeSpan.FromSeconds(settings.Seconds), cancellation);
                var used = cluster.Processes.Zip(before, (process, was) => ProcessActivity.Of([process]).Since(was)).ToArray();
                double[] percent = [.. used.Select(use => 100 * use.Processor.TotalSeconds / settings.Seconds)];
                worst = Math.Max(worst, percent.Max());
                Console.WriteLine(string.Create(
                    CultureInfo.InvariantCulture,
                    $"{nodes,5}{client,9}{string.Join(", ", percent.Select(p => p.ToString("0.00", CultureInfo.InvariantCulture))),20}{string.Join(", ", used.Select(use => use.Sleeps / settings.Seconds)),26}"));
            }
        }

        return worst <= settings.BoundPercent ? 0 : 1;
    }
}
