using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using ActorLlama.Cli;
using ActorLlama.Kernels;
using ActorLlama.Model;
using Spectre.Console.Cli;

namespace ActorLlama.Benchmarks.Peers;

/// <summary>
/// This program and LLamaSharp on the same weights: logits compared first, then measured in turn. A round beside other work on the machine does not count.
/// </summary>
internal sealed class CompareCommand : AsyncCommand<CompareCommand.Settings>
{
    private const string Int8Measure = "int8_decode_x1";
    private const int ComparedPrompt = 48, PromptTokens = 512;
    private const double MostOfOthers = 0.05;
    private static readonly TimeSpan s_warmUp = TimeSpan.FromSeconds(25);

    internal sealed class Settings : CommandSettings
    {
        [CommandOption("--cache <DIR>")]
        [Description("Where the model is kept, in both programs' formats: 5.6 GB. Default: actorllama-bench in the temporary folder.")]
        public string Cache { get; init; } = Path.Combine(Path.GetTempPath(), "actorllama-bench");

        [CommandOption("--shape <NAME>")]
        [Description("A shape of config/models. Default: bench-mid.")]
        public string Shape { get; init; } = "bench-mid";

        [CommandOption("--threads <N>")]
        [Description("Threads of each program. Default: 2.")]
        public int Threads { get; init; } = 2;

        [CommandOption("--rounds <N>")]
        [Description("Undisturbed rounds of each measure. Default: 5.")]
        public int Rounds { get; init; } = 5;

        [CommandOption("--only <MEASURES>")]
        [Description("Some of prefill_512,decode_x1,decode_x8,decode_x32,int8_decode_x1. Default: all.")]
        public string? Only { get; init; }

        [CommandOption("--json")]
        [Description("The last line is one JSON object.")]
        public bool Json { get; init; }
    }

    public override async Task<int> ExecuteAsync(CommandContext context, Settings settings, CancellationToken cancellation)
    {
        var model = BenchModel.In(settings.Cache, settings.Shape);
        var config = LlamaConfigReader.Read(await File.ReadAllTextAsync(ProgramFiles.Shape(settings.Shape), cancellation), settings.Shape).Config;
        MachineLimits limits;
        using (var team = new ThreadTeam(settings.Threads)) limits = MachineLimits.Measure(team);
        var ceiling = new Ceiling(config, limits.GigabytesPerSecond, limits.GigaflopsPerSecond);
        Measure[] measures =
        [
            new($"prefill_{PromptTokens}", peer => peer.PrefillAsync(PromptTokens), ceiling.Prefill(PromptTokens)),
            new("decode_x1", peer => peer.DecodeAsync(1, 48), ceiling.Decode(1, 2)),
            new("decode_x8", peer => peer.DecodeAsync(8, 32), ceiling.Decode(8, 2)),
            new("decode_x32", peer => peer.DecodeAsync(32, 24), ceiling.Decode(32, 2)),
            new(Int8Measure, peer => peer.DecodeAsync(1, 48), ceiling.Decode(1, 1)),
        ];
        if (settings.Only is { } only) measures = [.. measures.Where(measure => only.Split(',').Contains(measure.Name))];
        if (measures.Length == 0) throw new InvalidDataException($"Bench: --only \"{settings.Only}\" names no measure. They are listed by --help.");

        await using var ours = await StartAsync(WeightType.Stored);
        await using var theirs = new LLamaSharpPeer(model.Gguf, settings.Threads);
        var difference = await LogitsDifference.OfAsync(ours, theirs, ComparedPrompt, config.VocabSize);
        Console.WriteLine(difference);
        difference.RequireSame();

        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture, $"{settings.Threads} threads read {limits.GigabytesPerSecond:0.0} GB/s and compute {limits.GigaflopsPerSecond:0} GFLOP/s."));
        Console.WriteLine($"{"tokens/s",-16}{"ActorLlama",11}{"spread",16}{"LLamaSharp",12}{"spread",16}{"ratio",7}{"ceiling",9}{"of it",7}");
        var disturbed = 0;
        foreach (var measure in measures)
        {
            await using var rounded = measure.Name == Int8Measure ? await StartAsync(WeightType.Int8) : null;
            disturbed += await RunAsync(measure, rounded ?? ours, theirs, settings.Rounds);
            Print(measure);
        }

        Console.WriteLine($"{disturbed} rounds beside other work were left out.");
        if (settings.Json) Console.WriteLine(Json(measures, limits, difference, disturbed));
        return 0;

        async Task<ActorLlamaPeer> StartAsync(WeightType weights)
        {
            var peer = await ActorLlamaPeer.StartAsync(model.Packed, config.VocabSize, settings.Threads, $"actorllama.model.weight-dtype={(weights == WeightType.Int8 ? "int8" : "stored")}");
            // Code is compiled in several steps while it runs, which takes a third of a core at first.
            for (var clock = Stopwatch.StartNew(); clock.Elapsed < s_warmUp;) await peer.DecodeAsync(8, 32);
            return peer;
        }
    }

    /// <summary>Both in turn until so many rounds count. Returns how many did not.</summary>
    private static async Task<int> RunAsync(Measure measure, ActorLlamaPeer ours, LLamaSharpPeer theirs, int rounds)
    {
        // Once unmeasured: pages are touched, pools are filled.
        await measure.Run(ours);
        await measure.Run(theirs);
        var disturbed = 0;
        while (measure.Ours.Count < rounds && disturbed < 2 * rounds)
        {
            var before = Disturbance.Now();
            var (own, other) = (await measure.Run(ours), await measure.Run(theirs));
            if (Disturbance.Now().ShareOfOthersSince(before) > MostOfOthers)
            {
                disturbed++;
                continue;
            }
            measure.Ours.Add(own);
            measure.Theirs.Add(other);
        }
        return measure.Ours.Count > 0
            ? disturbed
            : throw new InvalidDataException(
                $"Bench: {measure.Name}: other work had more than {MostOfOthers:P0} of the machine in each of {disturbed} rounds. Measure on a quiet machine.");
    }

    private static void Print(Measure m) => Console.WriteLine(string.Create(
        CultureInfo.InvariantCulture,
        $"{m.Name,-16}{Medians.Of(m.Ours),11:0.0}{Spread(m.Ours),16}{Medians.Of(m.Theirs),12:0.0}{Spread(m.Theirs),16}{m.Ratio,7:0.00}{m.Ceiling,9:0.0}{Medians.Of(m.Ours) / m.Ceiling,7:P0}"));

    private static string Json(Measure[] measures, MachineLimits limits, LogitsDifference difference, int disturbed) => JsonSerializer.Serialize(new
    {
        ratios = measures.ToDictionary(m => m.Name, m => Math.Round(m.Ratio, 3)),
        actorllama = measures.ToDictionary(m => m.Name, m => Math.Round(Medians.Of(m.Ours), 2)),
        llamasharp = measures.ToDictionary(m => m.Name, m => Math.Round(Medians.Of(m.Theirs), 2)),
        ceiling = measures.ToDictionary(m => m.Name, m => Math.Round(m.Ceiling, 1)),
        gigabytes_per_second = Math.Round(limits.GigabytesPerSecond, 1),
        gigaflops_per_second = Math.Round(limits.GigaflopsPerSecond, 1),
        logits_median_difference = difference.Median,
        disturbed_rounds = disturbed,
    });

    private static string Spread(List<double> values) => string.Create(CultureInfo.InvariantCulture, $"{values.Min():0.0} to {values.Max():0.0}");

    /// <summary>Something measured of both, and what the machine allows; values in tokens a second.</summary>
    private sealed record Measure(string Name, Func<IPeer, Task<double>> Run, double Ceiling)
    {
        public List<double> Ours { get; } = [];

        public List<double> Theirs { get; } = [];

        public double Ratio => Medians.Of(Ours) / Medians.Of(Theirs);
    }
}
