using System.Collections.Immutable;
using System.Diagnostics;
using ActorLlama.Client;
using ActorLlama.Planning.Supervision;
using ActorLlama.Protocol;

namespace ActorLlama.Cli;

/// <summary>Leads a rolling restart by the steps of <see cref="RollRules"/>. What is wrong with the cluster is an <see cref="InvalidDataException"/>.</summary>
/// <param name="connection">A connection to the cluster.</param>
/// <param name="within">How long one node may take.</param>
/// <param name="tell">Told what happens, in lines.</param>
internal sealed class RollingRestart(ClusterConnection connection, TimeSpan within, Action<string> tell)
{
    /// <summary>The nodes in their order, each with what would move for it now. Throws when one cannot be emptied, before anything is done.</summary>
    public async Task<ImmutableArray<(NodeProtocol.Offer Node, string Moves)>> CheckAsync(CancellationToken cancellation)
    {
        var status = await connection.GetStatusAsync(ClusterWait.Answer, cancellation);
        var order = ImmutableArray.CreateBuilder<(NodeProtocol.Offer, string)>();
        foreach (var node in RollRules.Order(status).Select(id => status.Nodes.Single(o => o.Node == id)))
        {
            var answer = await AskToDrainAsync(node, dryRun: true, cancellation);
            if (answer.Refusal is { } why) throw new InvalidDataException($"Roll: {why}");
            order.Add((node, Moves(answer)));
        }

        return order.ToImmutable();
    }

    /// <summary>Returns when all nodes of <paramref name="order"/> are back as other ones.</summary>
    public async Task RunAsync(ImmutableArray<NodeId> order, CancellationToken cancellation)
    {
        var clock = Stopwatch.StartNew();
        NodeProtocol.Offer? current = null;
        var told = "";
        while (true)
        {
            var (step, news) = await StepAsync(order, cancellation);
            if (step is not RollStep.Wait && NodeOf(step) is var next && next?.Node != current?.Node)
            {
                if (current is not null) tell($"{current.Name} is back after {clock.Elapsed.TotalSeconds:0.0} s");
                current = next;
                clock.Restart();
            }

            if (news.Length > 0 && news != told) tell(told = news);
            if (step is RollStep.Done) return;
            if (clock.Elapsed > within) throw TooLong(current, step);
            await Task.Delay(ClusterWait.Look, cancellation);
        }
    }

    /// <summary>
    /// Looks, and does what is next. While a node ends the supervisor may move, and what was asked of it be lost with it; what is refused at one moment is not at another: then the next
    /// look says what to do.
    /// </summary>
    private async Task<(RollStep Step, string News)> StepAsync(ImmutableArray<NodeId> order, CancellationToken cancellation)
    {
        try
        {
            var step = RollRules.Next(order, await connection.GetStatusAsync(ClusterWait.Answer, cancellation));
            switch (step)
            {
                case RollStep.Drain { Node: var node }:
                    var drained = await AskToDrainAsync(node, dryRun: false, cancellation);
                    return drained.Refusal is { } full ? (new RollStep.Wait(full), "") : (step, $"{node.Name}: {Moves(drained)}");
                case RollStep.Restart { Node: var node }:
                    var restarting = await connection.RestartAsync(node.Node.HostAndPort, ClusterWait.Answer, cancellation);
                    return restarting.Refusal is { } busy ? (new RollStep.Wait(busy), "") : (step, $"{node.Name} holds nothing: it starts again");
                default:
                    return (step, "");
            }
        }
        catch (ClusterUnreachableException e)
        {
            return (new RollStep.Wait(e.Message), "");
        }
    }

    private Task<ClusterProtocol.Drained> AskToDrainAsync(NodeProtocol.Offer node, bool dryRun, CancellationToken cancellation) =>
        connection.DrainAsync(new(node.Node.HostAndPort, Undo: false, dryRun), ClusterWait.Answer, cancellation);

    private InvalidDataException TooLong(NodeProtocol.Offer? node, RollStep step) => new(
        $"Roll: {(node is null ? "the cluster was not ready" : $"node \"{node.Name}\" was not back")} after {within.TotalSeconds:0} s"
        + $"{(step is RollStep.Wait { Why: var why } ? $" ({why})" : "")}. Look at it with cluster status and its log, and wait longer with --within.");

    private static NodeProtocol.Offer? NodeOf(RollStep step) => step switch
    {
        RollStep.Drain drain => drain.Node,
        RollStep.Restart restart => restart.Node,
        _ => null,
    };

    private static string Moves(ClusterProtocol.Drained answer) =>
        string.Join("; ", [.. MovesText.Of(answer.Moves), .. answer.Moves.IsEmpty || !answer.Pauses.IsEmpty ? [MovesText.Waiting(answer.Moves, answer.Pauses)] : Array.Empty<string>()]);
}
