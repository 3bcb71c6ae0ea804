using System.ComponentModel;
using Spectre.Console;
using Spectre.Console.Cli;

namespace ActorLlama.Cli;

/// <summary>Of a verb that has parts of the model move.</summary>
internal abstract class MovingSettings : ClusterSettings
{
    [CommandOption("--dry-run")]
    [Description("Only say what would move.")]
    public bool DryRun { get; init; }

    [CommandOption("--within <SECONDS>")]
    [Description("How long to wait until it has moved, with roll for each node. Default: 600.")]
    public int Within { get; init; } = 600;

    public override ValidationResult Validate() =>
        Within < 1 ? ValidationResult.Error($"--within is {Within}; at least 1 second is needed.") : ValidationResult.Success();
}
