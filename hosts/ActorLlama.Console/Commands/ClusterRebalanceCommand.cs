using ActorLlama.Planning.Placement;
using ActorLlama.Protocol;
using Spectre.Console.Cli;

namespace ActorLlama.Cli;

/// <summary><c>actorllama cluster rebalance</c>: parts of the model move from the fullest devices to those that hold less, each loaded there before it takes over.</summary>
internal sealed class ClusterRebalanceCommand : AsyncCommand<ClusterRebalanceCommand.Settings>
{
    internal sealed class Settings : MovingSettings;

    public override async Task<int> ExecuteAsync(CommandContext context, Settings settings, CancellationToken cancellationToken)
    {
        using var ended = new EndSignals();
        await using var connection = await settings.ConnectAsync(ended.Token);
        var answer = await connection.RebalanceAsync(settings.DryRun, ClusterWait.Answer, ended.Token);
        if (answer.Refusal is { } why) throw new InvalidDataException(why);
        foreach (var move in MovesText.Of(answer.Moves)) Console.Out.WriteLine(move);
        foreach (var node in answer.Nodes) Console.Out.WriteLine(Line(node));
        if (answer.BusiestBefore > 0)
            Console.Out.WriteLine(FormattableString.Invariant(
                $"the busiest device computes {answer.BusiestBefore:P0} of the experts' rows{(answer.BusiestAfter == answer.BusiestBefore ? "" : FormattableString.Invariant($", then {answer.BusiestAfter:P0}"))}"));
        if (answer.Moves.IsEmpty)
        {
            Console.Out.WriteLine("nothing is worth moving");
            return 0;
        }

        Console.Out.WriteLine(MovesText.Waiting(answer.Moves, answer.Pauses));
        if (settings.DryRun) return 0;
        await ClusterWait.UntilAsync(
            connection, "Rebalance", status => status.State == ClusterState.Ready, TimeSpan.FromSeconds(settings.Within),
            told => $"not all has moved after {settings.Within} s: {told}. It goes on; look at it with cluster status.", Console.Out.WriteLine, ended.Token);
        Console.Out.WriteLine("all of it has moved");
        return 0;
    }

    private static string Line(ClusterProtocol.NodeBytes node) =>
        $"{node.Node} holds {ByteText.Of(node.BytesBefore)}{(node.BytesAfter == node.BytesBefore ? "" : $", then {ByteText.Of(node.BytesAfter)}")}, with the KV cache that is reserved there";
}
