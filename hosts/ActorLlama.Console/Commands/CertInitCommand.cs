using System.ComponentModel;
using ActorLlama.Trust;
using Spectre.Console.Cli;

namespace ActorLlama.Cli;

/// <summary><c>actorllama cert init</c>: a cluster's own authority, and certificates for its nodes and clients.</summary>
internal sealed class CertInitCommand : Command<CertInitCommand.Settings>
{
    internal sealed class Settings : CertSettings
    {
        [CommandOption("--node <NAME>")]
        [Description("A node: NAME is the host at which others call it, or NAME=HOST,HOST. May be given several times. Default: 127.0.0.1.")]
        public string[] Nodes { get; init; } = [];

        protected override string[] NodeTexts => Nodes is [] ? ["127.0.0.1"] : Nodes;
    }

    public override int Execute(CommandContext context, Settings settings, CancellationToken cancellationToken)
    {
        var nodes = settings.NodesGiven;
        CertificateFolders.Create(settings.Folder, nodes, settings.Validity, TimeProvider.System.GetUtcNow());
        foreach (var line in settings.Instructions(nodes)) Console.Out.WriteLine(line);
        Console.Out.WriteLine($"{Path.Combine(settings.Folder, CertificateFolders.Client)}: to those who use the cluster: --certificates DIR");
        Console.Out.WriteLine($"{Path.Combine(settings.Folder, CertificateFolders.Authority)}: to no host; whoever has its key can join. cert add needs it");
        return 0;
    }
}
