using System.ComponentModel;
using Spectre.Console.Cli;

namespace ActorLlama.Cli;

/// <summary><c>actorllama cluster status</c>.</summary>
internal sealed class ClusterStatusCommand : AsyncCommand<ClusterStatusCommand.Settings>
{
    private static readonly TimeSpan s_wait = TimeSpan.FromSeconds(10);

    internal sealed class Settings : ClusterSettings
    {
        [CommandOption("--json")]
        [Description("Print one line of JSON instead of a table.")]
        public bool Json { get; init; }
    }

    public override async Task<int> ExecuteAsync(CommandContext context, Settings settings, CancellationToken cancellationToken)
    {
        using var ended = new EndSignals();
        await using var connection = await settings.ConnectAsync(ended.Token);
        var status = await connection.GetStatusAsync(s_wait, ended.Token);
        if (settings.Json) JsonLine.Write(StatusJson.Of(status));
        else Terminal.Out.Write(StatusTable.Of(status));
        return 0;
    }
}
