using System.ComponentModel;
using ActorLlama.Client;
using ActorLlama.Planning.Placement;
using ActorLlama.Protocol;
using Spectre.Console;
using Spectre.Console.Cli;

namespace ActorLlama.Cli;

/// <summary><c>actorllama cluster drain NODE</c>: what the node holds is loaded elsewhere, takes over, and only then is given up there.</summary>
internal sealed class ClusterDrainCommand : AsyncCommand<ClusterDrainCommand.Settings>
{
    private static readonly TimeSpan s_answer = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan s_look = TimeSpan.FromMilliseconds(250);

    internal sealed class Settings : ClusterSettings
    {
        [CommandArgument(0, "<NODE>")]
        [Description("The node's name, or its HOST:PORT.")]
        public string Node { get; init; } = "";

        [CommandOption("--dry-run")]
        [Description("Only say what would move, and who would wait.")]
        public bool DryRun { get; init; }

        [CommandOption("--undo")]
        [Description("Let the node hold parts of the model again.")]
        public bool Undo { get; init; }

        [CommandOption("--within <SECONDS>")]
        [Description("How long to wait until the node is empty. Default: 600.")]
        public int Within { get; init; } = 600;

        public override ValidationResult Validate() =>
            Within < 1 ? ValidationResult.Error($"--within is {Within}; at least 1 second is needed.")
            : DryRun && Undo ? ValidationResult.Error("--dry-run and --undo exclude each other: undoing moves nothing by itself.")
            : ValidationResult.Success();
    }

    public override async Task<int> ExecuteAsync(CommandContext context, Settings settings, CancellationToken cancellationToken)
    {
        using var ended = new EndSignals();
        await using var connection = await settings.ConnectAsync(ended.Token);
        var answer = await connection.DrainAsync(new(settings.Node, settings.Undo, settings.DryRun), s_answer, ended.Token);
        if (answer.Refusal is { } why) throw new InvalidDataException(why);
        if (settings.Undo)
        {
            Console.Out.WriteLine($"{settings.Node} may hold parts of the model again");
            return 0;
        }

        foreach (var move in answer.Moves) Console.Out.WriteLine($"{move.Part} to {move.To}, {ByteText.Of(move.Bytes)}");
        Console.Out.WriteLine(Waiting(answer));
        if (settings.DryRun) return 0;
        await EmptyAsync(connection, settings, ended.Token);
        Console.Out.WriteLine($"{settings.Node} holds nothing: it can be stopped");
        return 0;
    }

    private static string Waiting(ClusterProtocol.Drained answer) =>
        answer.Moves.IsEmpty ? "nothing has to move"
        : answer.Pauses.IsEmpty ? "all of it is loaded before it takes over; sessions whose stages move are computed anew there, once"
        : $"there is no room to load first: sessions of pipeline {string.Join(", ", answer.Pauses)} wait while their stages load";

    private static async Task EmptyAsync(ClusterConnection connection, Settings settings, CancellationToken cancellation)
    {
        using var bound = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        bound.CancelAfter(TimeSpan.FromSeconds(settings.Within));
        var told = "";
        try
        {
            while (await connection.GetStatusAsync(s_answer, bound.Token) is var status && !IsEmpty(status, settings.Node))
            {
                if (status.State == ClusterState.Degraded) throw new InvalidDataException($"Drain: the cluster is Degraded: {status.Reason}");
                var news = $"{status.State}: {status.Reason}";
                if (news != told) Console.Out.WriteLine(news);
                told = news;
                await Task.Delay(s_look, bound.Token);
            }
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            throw new InvalidDataException($"Drain: node \"{settings.Node}\" still holds something after {settings.Within} s: {told}. Wait longer with --within, or give up with --undo.");
        }
    }

    private static bool IsEmpty(ClusterProtocol.Status status, string node) =>
        status.State == ClusterState.Ready
        && status.Nodes.Where(o => o.IsCalled(node))
            .All(o => o is { IsLeaving: true, Stages.Length: 0, Shards.Length: 0 });
}
