using System.Collections.Immutable;
using System.ComponentModel;
using Spectre.Console;
using Spectre.Console.Cli;

namespace ActorLlama.Cli;

/// <summary><c>actorllama chaos</c>: does to a cluster on this machine what can happen to one, and checks what its sessions get.</summary>
internal sealed class ChaosCommand : AsyncCommand<ChaosCommand.Settings>
{
    internal sealed class Settings : CommandSettings
    {
        [CommandOption("--scenario <NAME>", isRequired: true)]
        [Description("A scenario's name (kill-each-role, kill-two, freeze, partition, drain-under-load, roll, burn; train and train-partition for a run that trains), or a file of one.")]
        public string Scenario { get; init; } = "";

        [CommandOption("--model <DIR>")]
        [Description("The checkpoint folder. Default: models/bard.")]
        public string? Model { get; init; }

        [CommandOption("--seeds <N>")]
        [Description("How often each fault is done, each time with the next seed. Default: 1.")]
        public int Seeds { get; init; } = 1;

        [CommandOption("--first-seed <S>")]
        [Description("The first seed. Default: 1.")]
        public int FirstSeed { get; init; } = 1;

        [CommandOption("--logs <DIR>")]
        [Description("Keep the nodes' logs there.")]
        public string? Logs { get; init; }

        [CommandOption("--json")]
        [Description("Print a line of JSON for each fault and one of the whole, instead of text.")]
        public bool Json { get; init; }

        public override ValidationResult Validate() =>
            Seeds is < 1 or > 10_000 ? ValidationResult.Error($"--seeds is {Seeds}; it is from 1 to 10000.")
            : FirstSeed is < 1 or > 1_000_000 ? ValidationResult.Error($"--first-seed is {FirstSeed}; it is from 1 to 1000000.")
            : ValidationResult.Success();
    }

    public override async Task<int> ExecuteAsync(CommandContext context, Settings settings, CancellationToken cancellationToken)
    {
        if (TrainingChaosOptions.Find(settings.Scenario) is { } training) return await TrainAsync(training, settings);
        var scenarios = ChaosScenarios.Find(settings.Scenario);
        var model = settings.Model ?? ProgramFiles.SampleModel();
        using var ended = new EndSignals();
        var outcomes = ImmutableArray.CreateBuilder<ChaosOutcome>();
        foreach (var (scenario, i) in scenarios.Select((s, i) => (s, i)))
        {
            var logs = settings.Logs is null ? null : Path.Combine(settings.Logs, $"{i + 1}");
            await using var run = await ChaosRun.StartAsync(scenario, model, logs, ended.Token);
            for (var seed = settings.FirstSeed; seed < settings.FirstSeed + settings.Seeds; seed++)
                foreach (var fault in scenario.Faults)
                {
                    outcomes.Add(await run.RunAsync(fault, seed, ended.Token));
                    if (settings.Json) JsonLine.Write(outcomes[^1].ToJson());
                    else ChaosReport.Write(outcomes[^1], Console.Out);
                }
        }

        if (settings.Json) JsonLine.Write(ChaosReport.Summary(outcomes));
        else ChaosReport.WriteSummary(outcomes, Console.Out);
        return outcomes.All(o => o.Faults.IsEmpty) ? 0 : 1;
    }

    /// <summary>Every other run waits for replacements.</summary>
    private static async Task<int> TrainAsync(TrainingChaosOptions options, Settings settings)
    {
        using var ended = new EndSignals();
        using var chaos = new TrainingChaos(options, settings.Logs);
        var outcomes = ImmutableArray.CreateBuilder<TrainingChaosOutcome>();
        for (var seed = settings.FirstSeed; seed < settings.FirstSeed + settings.Seeds; seed++)
        {
            outcomes.Add(await chaos.RunAsync(seed, waits: seed % 2 == 0, ended.Token));
            if (settings.Json) JsonLine.Write(outcomes[^1].ToJson());
            else outcomes[^1].Write(Console.Out);
        }

        if (settings.Json) JsonLine.Write(TrainingChaosOutcome.Summary(outcomes));
        else TrainingChaosOutcome.WriteSummary(outcomes, Console.Out);
        return outcomes.All(outcome => outcome.Faults.IsEmpty) ? 0 : 1;
    }
}
