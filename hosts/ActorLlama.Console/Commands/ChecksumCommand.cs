using System.Collections.Immutable;
using System.ComponentModel;
using ActorLlama.Checkpoints;
using Spectre.Console.Cli;

namespace ActorLlama.Cli;

/// <summary><c>actorllama checksum</c>: hashes of a checkpoint's files against its manifest; exit code 0 when none differs or is missing.</summary>
internal sealed class ChecksumCommand : AsyncCommand<ChecksumCommand.Settings>
{
    internal sealed class Settings : CommandSettings
    {
        [CommandArgument(0, "<DIR>")]
        [Description("A checkpoint folder.")]
        public string Folder { get; init; } = "";

        [CommandOption("--json")]
        [Description("Print one line of JSON.")]
        public bool Json { get; init; }
    }

    public override async Task<int> ExecuteAsync(CommandContext context, Settings settings, CancellationToken cancellationToken)
    {
        ImmutableArray<CheckpointChecksum.FileResult> results = [];
        await ByteProgress.RunAsync((report, cancellation) =>
            results = CheckpointChecksum.Of(settings.Folder, done => report("checksums", done), cancellation));
        if (settings.Json) JsonLine.Write(results.Select(file => new { name = file.Name, sha256 = file.Sha256, bytes = file.Bytes, verdict = Text(file.Verdict) }));
        else
            foreach (var file in results) Console.Out.WriteLine($"{file.Sha256}  {file.Name}  {Text(file.Verdict)}");
        return results.Any(file => file.Verdict is FileVerdict.Changed or FileVerdict.Missing) ? CommandLine.Failed : 0;
    }

    private static string Text(FileVerdict verdict) => verdict switch
    {
        FileVerdict.Same => "as recorded",
        FileVerdict.Changed => "changed",
        FileVerdict.Missing => "missing",
        _ => "not recorded",
    };
}
