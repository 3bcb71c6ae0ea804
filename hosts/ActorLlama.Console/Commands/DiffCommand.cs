using System.ComponentModel;
using System.Globalization;
using ActorLlama.Checkpoints;
using Spectre.Console.Cli;

namespace ActorLlama.Cli;

/// <summary><c>actorllama diff</c>: two checkpoints tensor by tensor; exit code 0 only when all are equal bit for bit.</summary>
internal sealed class DiffCommand : Command<DiffCommand.Settings>
{
    internal sealed class Settings : CommandSettings
    {
        [CommandArgument(0, "<A>")]
        [Description("A checkpoint in any layout.")]
        public string A { get; init; } = "";

        [CommandArgument(1, "<B>")]
        [Description("Another, in the same or another layout.")]
        public string B { get; init; } = "";

        [CommandOption("--json")]
        [Description("Print one line of JSON.")]
        public bool Json { get; init; }
    }

    public override int Execute(CommandContext context, Settings settings, CancellationToken cancellationToken)
    {
        var unequal = new List<TensorDifference>();
        var equal = 0;
        foreach (var tensor in CheckpointComparison.Of(settings.A, settings.B, cancellationToken))
        {
            if (tensor.IsEqual) equal++;
            else
            {
                unequal.Add(tensor);
                if (!settings.Json) Console.Out.WriteLine($"{tensor.Name}  {Text(tensor)}");
            }
        }
        if (settings.Json)
            JsonLine.Write(new
            {
                equal,
                unequal = unequal.Select(tensor => new
                {
                    name = tensor.Name,
                    fault = tensor.Fault,
                    different = tensor.Different,
                    largest = double.IsFinite(tensor.Largest) ? tensor.Largest : (double?)null,
                }),
            });
        else Console.Out.WriteLine($"{equal} tensors bit-equal, {unequal.Count} not");
        return unequal.Count == 0 ? 0 : CommandLine.Failed;
    }

    private static string Text(TensorDifference tensor) => tensor.Fault
        ?? string.Create(CultureInfo.InvariantCulture, $"{tensor.Different} elements differ, by {tensor.Largest:g6} at most");
}
