using System.ComponentModel;
using ActorLlama.Client;
using ActorLlama.Planning.Placement;
using ActorLlama.Protocol;
using Spectre.Console;
using Spectre.Console.Cli;

namespace ActorLlama.Cli;

/// <summary><c>actorllama cluster rebalance</c>: parts of the model move from the fullest devices to those that hold less, each loaded there before it takes over.</summary>
internal sealed class ClusterRebalanceCommand : AsyncCommand<ClusterRebalanceCommand.Settings>
{
    private static readonly TimeSpan s_answer = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan s_look = TimeSpan.FromMilliseconds(250);

    internal sealed class Settings : ClusterSettings
    {
        [CommandOption("--dry-run")]
        [Description("Only say what would move, and what that gains.")]
        public bool DryRun { get; init; }

        [CommandOption("--within <SECONDS>")]
        [Description("How long to wait until all is where it belongs. Default: 600.")]
        public int Within { get; init; } = 600;

        public override ValidationResult Validate() =>
            Within < 1 ? ValidationResult.Error($"--within is {Within}; at least 1 second is needed.") : ValidationResult.Success();
    }

    public override async Task<int> ExecuteAsync(CommandContext context, Settings settings, CancellationToken cancellationToken)
    {
        using var ended = new EndSignals();
        await using var connection = await settings.ConnectAsync(ended.Token);
        var answer = await connection.RebalanceAsync(settings.DryRun, s_answer, ended.Token);
        if (answer.Refusal is { } why) throw new InvalidDataException(why);
        foreach (var move in MovesText.Of(answer.Moves)) Console.Out.WriteLine(move);
        foreach (var node in answer.Nodes) Console.Out.WriteLine(Line(node));
        if (answer.Moves.IsEmpty)
        {
            Console.Out.WriteLine("nothing is worth moving");
            return 0;
        }

        Console.Out.WriteLine(MovesText.Waiting(answer.Moves, answer.Pauses));
        if (settings.DryRun) return 0;
        await WaitAsync(connection, settings.Within, ended.Token);
        Console.Out.WriteLine("all of it has moved");
        return 0;
    }

    private static string Line(ClusterProtocol.NodeBytes node) =>
        $"{node.Node} holds {ByteText.Of(node.BytesBefore)}{(node.BytesAfter == node.BytesBefore ? "" : $", then {ByteText.Of(node.BytesAfter)}")}, with the KV cache that is reserved there";

    private static async Task WaitAsync(ClusterConnection connection, int within, CancellationToken cancellation)
    {
        using var bound = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        bound.CancelAfter(TimeSpan.FromSeconds(within));
        var told = "";
        try
        {
            while (await connection.GetStatusAsync(s_answer, bound.Token) is var status && status.State != ClusterState.Ready)
            {
                if (status.State == ClusterState.Degraded) throw new InvalidDataException($"Rebalance: the cluster is Degraded: {status.Reason}");
                var news = $"{status.State}: {status.Reason}";
                if (news != told) Console.Out.WriteLine(news);
                told = news;
                await Task.Delay(s_look, bound.Token);
            }
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            throw new InvalidDataException($"Rebalance: not all has moved after {within} s: {told}. It goes on; look at it with cluster status.");
        }
    }
}
