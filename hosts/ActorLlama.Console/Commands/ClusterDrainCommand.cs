using System.ComponentModel;
using Spectre.Console;
using Spectre.Console.Cli;

namespace ActorLlama.Cli;

/// <summary><c>actorllama cluster drain NODE</c>: what the node holds is loaded elsewhere, takes over, and only then is given up there.</summary>
internal sealed class ClusterDrainCommand : AsyncCommand<ClusterDrainCommand.Settings>
{
    private static readonly TimeSpan s_answer = TimeSpan.FromSeconds(10);

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

        foreach (var move in MovesText.Of(answer.Moves)) Console.Out.WriteLine(move);
        Console.Out.WriteLine(MovesText.Waiting(answer.Moves, answer.Pauses));
        if (settings.DryRun) return 0;
        await NodeDrain.WaitAsync(connection, settings.Node, TimeSpan.FromSeconds(settings.Within), Console.Out.WriteLine, ended.Token);
        Console.Out.WriteLine($"{settings.Node} holds nothing: it can be stopped");
        return 0;
    }
}
