using System.ComponentModel;
using ActorLlama.Client;
using Spectre.Console;
using Spectre.Console.Cli;

namespace ActorLlama.Cli;

/// <summary>Where a verb finds its model: a running cluster, or a checkpoint that it serves itself meanwhile.</summary>
internal abstract class SourceSettings : CommandSettings
{
    [CommandOption("--cluster <ADDRESS>")]
    [Description("A node of a running cluster, HOST:PORT. Default: 127.0.0.1:4053.")]
    public string? Cluster { get; init; }

    [CommandOption("--model <DIR>")]
    [Description("A checkpoint folder: served by processes of its own while the command runs.")]
    public string? Model { get; init; }

    public override ValidationResult Validate() => Cluster is not null && Model is not null
        ? ValidationResult.Error("--cluster and --model exclude each other. Give one of them.")
        : ValidationResult.Success();

    public Task<Attachment> AttachAsync(Func<string, LocalClusterOptions> own, CancellationToken cancellation) => Model is { } folder
        ? Attachment.ToOwnAsync(own(folder), cancellation)
        : Attachment.ToAsync(Cluster ?? ClusterAddress.Default, cancellation);
}
