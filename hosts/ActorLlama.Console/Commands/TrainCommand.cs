using System.ComponentModel;
using Spectre.Console;
using Spectre.Console.Cli;

namespace ActorLlama.Cli;

/// <summary><c>actorllama train</c>: pre-trains a model, or goes on with one, as MaxText's flags say.</summary>
internal sealed class TrainCommand : AsyncCommand<TrainCommand.Settings>
{
    internal sealed class Settings : CommandSettings
    {
        [CommandArgument(0, "[FLAGS]")]
        [Description(FlagArguments.Description + ": \"config/train.conf steps=100\".")]
        public string[] Flags { get; init; } = [];

        public override ValidationResult Validate()
        {
            try
            {
                FlagArguments.GivenOf(Flags);
                return ValidationResult.Success();
            }
            catch (InvalidDataException e)
            {
                return ValidationResult.Error(e.Message);
            }
        }
    }

    public override async Task<int> ExecuteAsync(CommandContext context, Settings settings, CancellationToken cancellationToken)
    {
        var flags = FlagArguments.AllOf(settings.Flags);
        TrainRules.Check(flags);
        FlagArguments.TellWithoutEffect(flags, FlagUse.Train);
        using var ended = new EndSignals();
        return await TrainJob.RunAsync(flags, ended.Token);
    }
}
