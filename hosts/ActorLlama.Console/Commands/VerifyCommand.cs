using System.ComponentModel;
using Spectre.Console;
using Spectre.Console.Cli;

namespace ActorLlama.Cli;

/// <summary><c>actorllama verify</c>: a model against a golden file; exit code 0 only within the tolerance.</summary>
internal sealed class VerifyCommand : AsyncCommand<VerifyCommand.Settings>
{
    internal sealed class Settings : LocalClusterSettings
    {
        [CommandOption("--model <DIR>")]
        [Description("The checkpoint folder: served by processes of its own meanwhile.")]
        public string? Model { get; init; }

        [CommandOption("--cluster <ADDRESS>")]
        [Description("A node of a running cluster instead, HOST:PORT.")]
        public string? Cluster { get; init; }

        [CommandOption("--certificates <DIR>")]
        [Description("With --cluster: a client's folder of cert init.")]
        public string? Certificates { get; init; }

        [CommandOption("--golden <FILE>", isRequired: true)]
        [Description("Golden values, laid out like fixtures/*/expected.safetensors.")]
        public string Golden { get; init; } = "";

        [CommandOption("--json")]
        [Description("Print one line of JSON.")]
        public bool Json { get; init; }

        public override ValidationResult Validate() => base.Validate() is { Successful: false } wrong ? wrong
            : (Model is null) == (Cluster is null) ? ValidationResult.Error("Give one of --model and --cluster.")
            : Certificates is not null && Model is not null ? ValidationResult.Error("--certificates goes with --cluster. Leave it out.")
            : Cluster is not null && Overrides.Length > 0 ? ValidationResult.Error($"\"{Overrides[0]}\" is a setting of own nodes: it goes with --model.")
            : ValidationResult.Success();
    }

    public override async Task<int> ExecuteAsync(CommandContext context, Settings settings, CancellationToken cancellationToken)
    {
        var golden = GoldenCase.Read(settings.Golden);
        using var ended = new EndSignals();
        await using var attachment = settings.Model is { } model
            ? await Attachment.ToOwnAsync(settings.OptionsFor(model), ended.Token)
            : await Attachment.ToAsync(settings.Cluster!, settings.Certificates, ended.Token);
        var report = await Verifier.RunAsync(attachment.Connection, golden, settings.Dtype == "bfloat16", ended.Token);
        if (settings.Json) report.WriteJson();
        else report.WriteText(Console.Out);
        return report.Faults.IsEmpty ? 0 : CommandLine.Failed;
    }
}
