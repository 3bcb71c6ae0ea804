using System.ComponentModel;
using Spectre.Console.Cli;

namespace ActorLlama.Cli;

/// <summary><c>actorllama cluster add NODE</c>: waits until a node that was started has joined, and has it get its share of the model.</summary>
internal sealed class ClusterAddCommand : AsyncCommand<ClusterAddCommand.Settings>
{
    internal sealed class Settings : MovingSettings
    {
        [CommandArgument(0, "<NODE>")]
        [Description("The new node's name, or its HOST:PORT.")]
        public string Node { get; init; } = "";
    }

    public override async Task<int> ExecuteAsync(CommandContext context, Settings settings, CancellationToken cancellationToken)
    {
        using var ended = new EndSignals();
        await using var connection = await settings.ConnectAsync(ended.Token);
        var within = TimeSpan.FromSeconds(settings.Within);
        if (settings.DryRun)
        {
            await NodeAdd.JoinedAsync(connection, settings.Node, within, Console.Out.WriteLine, ended.Token);
            var answer = await connection.RebalanceAsync(dryRun: true, ClusterWait.Answer, ended.Token);
            if (answer.Refusal is { } why) throw new InvalidDataException(why);
            foreach (var move in MovesText.Of(answer.Moves)) Console.Out.WriteLine(move);
            Console.Out.WriteLine(MovesText.Waiting(answer.Moves, answer.Pauses));
            return 0;
        }

        await NodeAdd.RunAsync(connection, settings.Node, within, Console.Out.WriteLine, ended.Token);
        Console.Out.WriteLine(NodeAdd.Holds(await connection.GetStatusAsync(ClusterWait.Answer, ended.Token), settings.Node));
        return 0;
    }
}
