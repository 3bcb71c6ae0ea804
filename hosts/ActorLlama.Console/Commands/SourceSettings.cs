using System.ComponentModel;
using ActorLlama.Client;
using ActorLlama.Protocol;
using Spectre.Console;
using Spectre.Console.Cli;

namespace ActorLlama.Cli;

/// <summary>Where a verb finds its model: a running cluster, or a checkpoint that it serves itself meanwhile.</summary>
internal abstract class SourceSettings : CommandSettings
{
    [CommandOption("--cluster <ADDRESS>")]
    [Description("A node of a running cluster, HOST:PORT. Default: 127.0.0.1:4053.")]
    public string? Cluster { get; init; }

    [CommandOption("--certificates <DIR>")]
    [Description("A client's folder of cert init, for a cluster that has certificates.")]
    public string? Certificates { get; init; }

    [CommandOption("--model <DIR>")]
    [Description("A checkpoint folder: served by processes of its own while the command runs.")]
    public string? Model { get; init; }

    public override ValidationResult Validate() => Cluster is not null && Model is not null
        ? ValidationResult.Error("--cluster and --model exclude each other. Give one of them.")
        : Certificates is not null && Model is not null
        ? ValidationResult.Error("--certificates goes with --cluster: processes of one's own talk over loopback. Leave it out.")
        : ValidationResult.Success();

    /// <param name="own">The processes that serve a checkpoint folder.</param>
    /// <param name="onStatus">Told how far they are, or null.</param>
    /// <param name="cancellation">Ends what was started.</param>
    public Task<Attachment> AttachAsync(
        Func<string, LocalClusterOptions> own, CancellationToken cancellation, Action<ClusterProtocol.Status>? onStatus = null) => Model is { } folder
        ? Attachment.ToOwnAsync(own(folder), cancellation, onStatus)
        : Attachment.ToAsync(Cluster ?? ClusterAddress.Default, Certificates, cancellation);
}
