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
        [CommandOption("--scenario <NAMES>", isRequired: true)]
        [Description("Scenarios' names, with commas between (kill-each-role, kill-in-each-phase, kill-two, freeze, partition, partition-again, stall, starve, drain-under-load, scale, roll, burn, soak; train and train-partition, alone, for a run that trains), or files.")]
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

        [CommandOption("--for <SECONDS>")]
        [Description("How long what lasts does: the cores of burn, a soak, frozen, cut off and starved nodes. Default: as the scenario says.")]
        public int? For { get; init; }

        [CommandOption("--burn")]
        [Description("Have all cores compute something else meanwhile.")]
        public bool Burn { get; init; }

        [CommandOption("--tls")]
        [Description("Give nodes and clients certificates of an authority made for the run: everything between them is encrypted.")]
        public bool Tls { get; init; }

        [CommandOption("--plot <FILE>")]
        [Description("Draw what the first node held at rest in a soak, as an .svg.")]
        public string? Plot { get; init; }

        [CommandOption("--logs <DIR>")]
        [Description("Keep the nodes' logs there.")]
        public string? Logs { get; init; }

        [CommandOption("--json")]
        [Description("Print a line of JSON for each fault and one of the whole, instead of text.")]
        public bool Json { get; init; }

        public override ValidationResult Validate() =>
            Seeds is < 1 or > 10_000 ? ValidationResult.Error($"--seeds is {Seeds}; it is from 1 to 10000.")
            : For is < 1 or > 1_000_000 ? ValidationResult.Error($"--for is {For}; it is from 1 to 1000000 seconds.")
            : Plot is not null && Path.GetExtension(Plot) != ".svg" ? ValidationResult.Error($"--plot is \"{Plot}\"; the picture is an .svg. Name it so.")
            : FirstSeed is < 1 or > 1_000_000 ? ValidationResult.Error($"--first-seed is {FirstSeed}; it is from 1 to 1000000.")
            : ValidationResult.Success();
    }

    public override async Task<int> ExecuteAsync(CommandContext context, Settings settings, CancellationToken cancellationToken)
    {
        using var burners = settings.Burn ? new ChaosBurners() : null;
        if (TrainingChaosOptions.Find(settings.Scenario) is { } training) return await TrainAsync(training with { Tls = settings.Tls }, settings);
        var scenarios = settings.Scenario.Split(',', StringSplitOptions.RemoveEmptyEntries).SelectMany(name => ChaosScenarios.Find(name))
            .Select(scenario => scenario with { Tls = scenario.Tls || settings.Tls }).ToArray();
        var model = settings.Model ?? ProgramFiles.SampleModel();
        using var ended = new EndSignals();
        var outcomes = ImmutableArray.CreateBuilder<ChaosOutcome>();
        var soaked = true;
        foreach (var (scenario, i) in scenarios.Select((s, i) => (s, i)))
        {
            var logs = settings.Logs is null ? null : Path.Combine(settings.Logs, $"{i + 1}");
            if (scenario.Faults.Any(f => f.Do == ChaosDeed.Soak)) MemoryRules.HoldCollector();
            await using var run = await ChaosRun.StartAsync(scenario, model, logs, ended.Token);
            for (var seed = settings.FirstSeed; seed < settings.FirstSeed + settings.Seeds; seed++)
                foreach (var fault in scenario.Faults.Select(f => settings.For is { } seconds ? f with { ForMs = seconds * 1000 } : f))
                    if (fault.Do == ChaosDeed.Soak) soaked &= await SoakAsync(new ChaosSoak(run, scenario, fault), seed, settings, ended.Token);
                    else outcomes.Add(Told(await run.RunAsync(fault, seed, ended.Token), settings));
        }

        if (outcomes.Count == 0) return soaked ? 0 : 1;
        if (settings.Json) JsonLine.Write(ChaosReport.Summary(outcomes));
        else ChaosReport.WriteSummary(outcomes, Console.Out);
        return soaked && outcomes.All(o => o.Faults.IsEmpty) ? 0 : 1;
    }

    private static ChaosOutcome Told(ChaosOutcome outcome, Settings settings)
    {
        if (settings.Json) JsonLine.Write(outcome.ToJson());
        else ChaosReport.Write(outcome, Console.Out);
        return outcome;
    }

    private static async Task<bool> SoakAsync(ChaosSoak soak, int seed, Settings settings, CancellationToken cancellation)
    {
        var outcome = await soak.RunAsync(seed, settings.Json ? _ => { } : Console.Out.WriteLine, cancellation);
        if (settings.Json) JsonLine.Write(outcome.ToJson());
        else outcome.Write(Console.Out);
        if (settings.Plot is { } plot) MemoryPlot.Write(plot, "What a node that is never killed holds at rest, without weights", "seconds", outcome.Samples);
        return outcome.Broken.IsEmpty;
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
