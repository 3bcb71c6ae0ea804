using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using ActorLlama.Checkpoints;
using ActorLlama.Model;
using ActorLlama.Protocol;
using ActorLlama.Training;
using Spectre.Console.Cli;

namespace ActorLlama.Benchmarks.Training;

/// <summary>How long training steps of a fresh model take on one device, and what the time is spent on.</summary>
internal sealed class TrainingCommand : Command<TrainingCommand.Settings>
{
    internal sealed class Settings : CommandSettings
    {
        [CommandOption("--shape <FILE>")]
        [Description("The model's config.json. Default: that of models/bard.")]
        public string Shape { get; init; } = Path.Combine("models", "bard", "config.json");

        [CommandOption("--rows <N>")]
        [Description("Sequences of a step. Default: 6.")]
        public int Rows { get; init; } = 6;

        [CommandOption("--length <N>")]
        [Description("Positions of a sequence. Default: 320.")]
        public int Length { get; init; } = 320;

        [CommandOption("--steps <N>")]
        [Description("Steps that are timed, after one that is not. Default: 5.")]
        public int Steps { get; init; } = 5;

        [CommandOption("--strategy <NAME>")]
        [Description("dense, grouped or ragged. Default: grouped.")]
        public MoeStrategy Strategy { get; init; } = MoeStrategy.Grouped;

        [CommandOption("--experts <N>")]
        [Description("Routed experts instead of the shape's.")]
        public int? Experts { get; init; }

        [CommandOption("--keep")]
        [Description("Keep everything rather than compute it again (remat_policy=none).")]
        public bool Keep { get; init; }

        [CommandOption("--device <NAME>")]
        [Description("Default: cpu.")]
        public string Device { get; init; } = "cpu";
    }

    /// <summary>A line: tokens a second of the median step, its time, and that of each phase.</summary>
    public override int Execute(CommandContext context, Settings settings, CancellationToken cancellationToken)
    {
        var config = LlamaConfigReader.Read(File.ReadAllText(settings.Shape)).Config;
        config = config with { Experts = settings.Experts ?? config.Experts };
        var options = new TrainerOptions
        {
            Device = settings.Device,
            Strategy = settings.Strategy,
            Rematerialises = !settings.Keep,
            LearningRates = new LearningRates(1e-4, settings.Steps + 1),
        };
        using var trainer = new LocalTrainer(config, options, new InitialWeights(config, seed: 0).Get);
        var random = new Random(0);
        var tokens = Enumerable.Range(0, settings.Rows * (settings.Length + 1)).Select(_ => random.Next(config.VocabSize)).ToArray();
        var batch = TrainingBatch.OfTokens(settings.Rows, settings.Length, tokens);
        trainer.Step(batch);
        var times = Enumerable.Range(0, settings.Steps).Select(_ => Time(trainer, batch)).OrderBy(time => time.Whole).ToList();
        var (whole, phases) = times[times.Count / 2];
        var shares = Enum.GetValues<StepPhase>().Select(phase => string.Create(CultureInfo.InvariantCulture, $"{phase} {phases[(int)phase].TotalMilliseconds:0} ms"));
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{settings.Strategy}, {config.Experts} experts: {settings.Rows * settings.Length / whole.TotalSeconds:0} tokens/s, step {whole.TotalMilliseconds:0} ms "
            + $"({times[0].Whole.TotalMilliseconds:0} to {times[^1].Whole.TotalMilliseconds:0}): {string.Join(", ", shares)}"));
        return 0;
    }

    private static (TimeSpan Whole, IReadOnlyList<TimeSpan> Phases) Time(LocalTrainer trainer, TrainingBatch batch)
    {
        var clock = Stopwatch.StartNew();
        trainer.Step(batch);
        return (clock.Elapsed, [.. trainer.LastTimes]);
    }
}
