using System.ComponentModel;
using ActorLlama.Checkpoints;
using ActorLlama.Protocol;
using Spectre.Console;
using Spectre.Console.Cli;

namespace ActorLlama.Cli;

/// <summary><c>actorllama cluster save</c>: the model that a cluster holds, written by its nodes into one checkpoint.</summary>
internal sealed class ClusterSaveCommand : AsyncCommand<ClusterSaveCommand.Settings>
{
    internal sealed class Settings : ClusterSettings
    {
        [CommandOption("--to <DIR>", isRequired: true)]
        [Description("A new folder, on storage that all nodes find under the same path.")]
        public string To { get; init; } = "";

        [CommandOption("--layout <NAME>")]
        [Description("unscanned, the one that nodes write; convert makes others of it.")]
        public string Layout { get; init; } = LayoutNames.Unscanned;

        public override ValidationResult Validate() =>
            To.Length == 0 ? ValidationResult.Error("--to is empty. Name a new folder.")
            : Layout != LayoutNames.Unscanned
                ? ValidationResult.Error($"--layout is \"{Layout}\"; nodes write {LayoutNames.Unscanned}. Save so, and convert what was saved.")
            : ValidationResult.Success();
    }

    public override async Task<int> ExecuteAsync(CommandContext context, Settings settings, CancellationToken cancellationToken)
    {
        using var ended = new EndSignals();
        await using var connection = await settings.ConnectAsync(ended.Token);
        var folder = Path.GetFullPath(settings.To);
        await ByteProgress.ShowAsync(report => connection.SaveAsync(folder, settings.Layout, status => Show(report, status), ended.Token));
        Console.Out.WriteLine(folder);
        return 0;
    }

    /// <summary>The end is at 100 %, also where it came too quickly for a report of each byte.</summary>
    private static void Show(Action<string, WriteProgress> report, ClusterProtocol.SaveStatus status)
    {
        if (status.Phase is SavePhase.Writing or SavePhase.Committing or SavePhase.Saved)
            report("weights", new WriteProgress(status.Phase == SavePhase.Writing ? Math.Min(status.WrittenBytes, status.TotalBytes) : status.TotalBytes, status.TotalBytes));
    }
}
