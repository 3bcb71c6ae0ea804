using System.ComponentModel;
using ActorLlama.Trust;
using Spectre.Console.Cli;

namespace ActorLlama.Cli;

/// <summary><c>actorllama cert add</c>: certificates for more nodes, or new ones for the same, from an authority that <c>cert init</c> made.</summary>
internal sealed class CertAddCommand : Command<CertAddCommand.Settings>
{
    internal sealed class Settings : CertSettings
    {
        [CommandOption("--node <NAME>", isRequired: true)]
        [Description("A node: NAME is the host at which others call it, or NAME=HOST,HOST. May be given several times.")]
        public string[] Nodes { get; init; } = [];

        protected override string[] NodeTexts => Nodes;
    }

    public override int Execute(CommandContext context, Settings settings, CancellationToken cancellationToken)
    {
        var nodes = settings.NodesGiven;
        CertificateFolders.Add(settings.Folder, nodes, settings.Validity, TimeProvider.System.GetUtcNow());
        foreach (var line in settings.Instructions(nodes)) Console.Out.WriteLine(line);
        return 0;
    }
}
