using System.ComponentModel;
using Spectre.Console;
using Spectre.Console.Cli;

namespace ActorLlama.Cli;

/// <summary><c>actorllama cluster drain NODE</c>: what the node holds is loaded elsewhere, takes over, and only then is given up there.</summary>
internal sealed class ClusterDrainCommand : AsyncCommand<ClusterDrainCommand.Settings>
{
    internal sealed class Settings : MovingSettings
    {
        [CommandArgument(0, "<NODE>")]
        [Description("The node's name, or its HOST:PORT.")]
        public string Node { get; init; } = "";

        [CommandOption("--undo")]
        [Description("Let the node hold parts of the model again.")]
        public bool Undo { get; init; }

        public override ValidationResult Validate() =>
            base.Validate() is { Successful: false } fault ? fault
            : DryRun && Undo ? ValidationResult.Error("--dry-run and --undo exclude each other: undoing moves nothing by itself.")
            : ValidationResult.Success();
    }

    public override async Task<int> ExecuteAsync(CommandContext context, Settings settings, CancellationToken cancellationToken)
    {
        using var ended = new EndSignals();
        await using var connection = await settings.ConnectAsync(ended.Token);
        var answer = await connection.DrainAsync(new(settings.Node, settings.Undo, settings.DryRun), ClusterWait.Answer, ended.Token);
        if (answer.Refusal is { } why) throw new InvalidDataException(why);
        if (settings.Undo)
        {
            Console.Out.WriteLine($"{settings.Node} may hold parts of the model again");
            return 0;
        }

        foreach (var move in MovesText.Of(answer.Moves)) Console.Out.WriteLine(move);
        Console.Out.WriteLine(MovesText.Waiting(answer.Moves, answer.Pauses));
        if (settings.DryRun) return 0;
        await NodeDrain.WaitAsync(connection, settings.Node, TimeSpan.FromSeconds(settings.Within), Console.Out.WriteLine, ended.Token);
        Console.Out.WriteLine($"{settings.Node} holds nothing: it can be stopped");
        return 0;
    }
}
