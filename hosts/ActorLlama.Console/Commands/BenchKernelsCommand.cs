using System.ComponentModel;
using System.Globalization;
using ActorLlama.Kernels;
using Spectre.Console;
using Spectre.Console.Cli;

namespace ActorLlama.Cli;

/// <summary><c>actorllama bench kernels</c>: what the CPU kernels reach of what this machine can do.</summary>
internal sealed class BenchKernelsCommand : Command<BenchKernelsCommand.Settings>
{
    private static readonly int[] s_rows = [1, 2, 3, 4, 6, 8, 16, 32, 128, 512];
    private static readonly int[] s_together = [2, 8, 32];

    internal sealed class Settings : CommandSettings
    {
        [CommandOption("--threads <N>")]
        [Description("Default: the processors.")]
        public int? Threads { get; init; }

        [CommandOption("--width <N>")]
        [Description("Width of rows. Default: 1024.")]
        public int Width { get; init; } = 1024;

        [CommandOption("--hidden <N>")]
        [Description("Hidden width of experts. Default: 2048.")]
        public int Hidden { get; init; } = 2048;

        public override ValidationResult Validate() =>
            Threads is < 1 or > 1024 ? ValidationResult.Error($"--threads is {Threads}; it is 1 to 1024.") : ValidationResult.Success();
    }

    public override int Execute(CommandContext context, Settings settings, CancellationToken cancellationToken)
    {
        using var team = new ThreadTeam(settings.Threads ?? Environment.ProcessorCount);
        using var bench = new KernelBench(team, settings.Width, settings.Hidden);
        var limits = MachineLimits.Measure(team);
        Console.Out.WriteLine(string.Create(
            CultureInfo.InvariantCulture, $"{team.Threads} threads: memory {limits.GigabytesPerSecond:0.0} GB/s, arithmetic {limits.GigaflopsPerSecond:0} GFLOP/s"));
        Console.Out.WriteLine($"{"kernel",-30}{"rows",6}{"µs",12}{"GB/s",8}{"GFLOP/s",9}{"of limit",10}");
        (int Rows, int Context)[] attended = [(1, 128), (1, 1024), (1, 8192), (128, 512), (128, 8192)];
        foreach (var figure in s_rows.Select(bench.Linear).Concat(s_rows.Select(bench.Int8)).Concat(s_rows.Select(bench.Expert)).Concat(s_rows.Select(bench.ExpertInPlace)).Concat(s_together.SelectMany(rows => new[] { bench.SharedAndRouted(rows, atOnce: false), bench.SharedAndRouted(rows, atOnce: true) })).Concat(attended.Select(shape => bench.Attention(shape.Rows, shape.Context))))
            Console.Out.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"{figure.Kernel,-30}{figure.Rows,6}{figure.Seconds * 1e6,12:0.0}{figure.GigabytesPerSecond,8:0.0}{figure.GigaflopsPerSecond,9:0.0}{figure.ShareOf(limits),10:P0}"));
        return 0;
    }
}
