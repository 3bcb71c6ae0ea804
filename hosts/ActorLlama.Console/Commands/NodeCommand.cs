using System.ComponentModel;
using ActorLlama.Node;
using Spectre.Console.Cli;

namespace ActorLlama.Cli;

/// <summary><c>actorllama node</c>: the daemon.</summary>
internal sealed class NodeCommand : AsyncCommand<NodeCommand.Settings>
{
    internal sealed class Settings : CommandSettings
    {
        [CommandOption("--config <FILE>", isRequired: true)]
        [Description("The node's HOCON file.")]
        public string Config { get; init; } = "";

        [CommandOption("--json")]
        [Description("Print one line of JSON once the node's address is known.")]
        public bool Json { get; init; }

        [CommandArgument(0, "[SETTING]")]
        [Description("key=value settings over the file's.")]
        public string[] Overrides { get; init; } = [];
    }

    public override async Task<int> ExecuteAsync(CommandContext context, Settings settings, CancellationToken cancellationToken)
    {
        using var ended = new EndSignals();
        return await NodeProgram.RunAsync(new NodeArguments(settings.Config, [.. settings.Overrides], settings.Json), ended.Token);
    }
}
