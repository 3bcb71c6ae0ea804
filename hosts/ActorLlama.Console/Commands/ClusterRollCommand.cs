using Spectre.Console.Cli;

namespace ActorLlama.Cli;

/// <summary><c>actorllama cluster roll</c>: every node is emptied, ends, starts again and joins as another, one after the other.</summary>
internal sealed class ClusterRollCommand : AsyncCommand<ClusterRollCommand.Settings>
{
    internal sealed class Settings : MovingSettings;

    public override async Task<int> ExecuteAsync(CommandContext context, Settings settings, CancellationToken cancellationToken)
    {
        using var ended = new EndSignals();
        await using var connection = await settings.ConnectAsync(ended.Token);
        var roll = new RollingRestart(connection, TimeSpan.FromSeconds(settings.Within), Console.Out.WriteLine);
        var order = await roll.CheckAsync(ended.Token);
        if (settings.DryRun)
            foreach (var (node, moves) in order) Console.Out.WriteLine($"{node.Name}: {moves}");
        else await roll.RunAsync([.. order.Select(o => o.Node.Node)], ended.Token);
        return 0;
    }
}
