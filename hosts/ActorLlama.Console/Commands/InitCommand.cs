using System.ComponentModel;
using ActorLlama.Checkpoints;
using Spectre.Console.Cli;

namespace ActorLlama.Cli;

/// <summary><c>actorllama init</c>: a checkpoint of random weights.</summary>
internal sealed class InitCommand : AsyncCommand<InitCommand.Settings>
{
    internal sealed class Settings : CommandSettings
    {
        [CommandOption("--shape <NAME>", isRequired: true)]
        [Description("A shape of config/models, or the path of a config.json.")]
        public string Shape { get; init; } = "";

        [CommandOption("--seed <N>")]
        [Description("Equal seeds give equal weights. Default: 0.")]
        public ulong Seed { get; init; }

        [CommandOption("--out <DIR>", isRequired: true)]
        [Description("A new folder.")]
        public string Out { get; init; } = "";
    }

    public override async Task<int> ExecuteAsync(CommandContext context, Settings settings, CancellationToken cancellationToken)
    {
        var shape = ProgramFiles.Shape(settings.Shape);
        var json = await File.ReadAllTextAsync(shape, cancellationToken);
        await ByteProgress.RunAsync((report, cancellation) => CheckpointInitializer.Write(
            json, settings.Seed, settings.Out, Path.GetFileName(shape), progress: done => report("weights", done), cancellation: cancellation));
        Console.Out.WriteLine(settings.Out);
        return 0;
    }
}
