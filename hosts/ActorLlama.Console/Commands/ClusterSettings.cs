using System.ComponentModel;
using ActorLlama.Client;
using Spectre.Console.Cli;

namespace ActorLlama.Cli;

/// <summary>Which running cluster a verb asks.</summary>
internal abstract class ClusterSettings : CommandSettings
{
    [CommandOption("--cluster <ADDRESS>")]
    [Description("A node of the cluster, HOST:PORT. Default: 127.0.0.1:4053.")]
    public string Cluster { get; init; } = ClusterAddress.Default;

    [CommandOption("--certificates <DIR>")]
    [Description("A client's folder of cert init, for a cluster that has certificates.")]
    public string? Certificates { get; init; }

    public Task<ClusterConnection> ConnectAsync(CancellationToken cancellation) => Attachment.ConnectAsync(Cluster, Certificates, cancellation);
}
