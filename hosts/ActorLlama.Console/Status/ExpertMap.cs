using System.Collections.Immutable;
using System.Globalization;
using ActorLlama.Protocol;
using Spectre.Console;

namespace ActorLlama.Cli;

/// <summary>
/// How the tokens are spread over the experts: one row for each MoE layer, one cell for an expert or several neighbours, darker where more tokens went.
/// Each cell is a character of a ramp, so that it can be read without colour.
/// </summary>
internal sealed record ExpertMap(ImmutableArray<int> Layers, int Experts, long[] Tokens)
{
    private const string Ramp = " .:-=+*#%@";
    private const int LabelColumns = 5;

    /// <summary>The narrowest terminal on which it can be read.</summary>
    public const int FewestColumns = 24;

    private static readonly Color[] s_heat = [Color.Grey, Color.Grey, Color.Blue, Color.DodgerBlue1, Color.Aqua, Color.Green, Color.Yellow, Color.Orange1, Color.Red, Color.Red];

    /// <summary>From the nodes' reports, replicas added up; null for a model without experts.</summary>
    public static ExpertMap? Of(ClusterProtocol.Status status)
    {
        if (status.Nodes.FirstOrDefault()?.Shape is not { MoeLayers: > 0 } shape) return null;
        var (layers, experts) = (shape.MoeLayers, shape.Experts);
        var tokens = new long[layers * experts];
        foreach (var node in status.Nodes)
            foreach (var report in node.ExpertRows)
            {
                if (node.Shards.FirstOrDefault(s => (s.Placement.Shard, s.Placement.Replica) == (report.Shard, report.Replica)) is not { Placement: var held }) continue;
                if (report.Rows.Length != layers * held.Experts) continue;
                for (var i = 0; i < report.Rows.Length; i++)
                    tokens[(i / held.Experts * experts) + held.FirstExpert + (i % held.Experts)] += report.Rows[i];
            }

        return new ExpertMap([.. Enumerable.Range(0, shape.Layers.Length).Where(i => shape.Layers[i].IsMoe)], experts, tokens);
    }

    /// <summary>Writes the map of what the nodes of a cluster have computed.</summary>
    public void Write(IAnsiConsole console, int columns)
    {
        console.Write(ToText(columns, $"Tokens by layer and expert since the shards were loaded: {Number(Tokens.Sum())}"));
        console.WriteLine();
    }

    /// <summary>The map under a title, no line longer than <paramref name="columns"/>.</summary>
    public Paragraph ToText(int columns, string title)
    {
        var perCell = 1;
        while ((Experts + perCell - 1) / perCell > columns - LabelColumns - 3) perCell++;
        var cells = (Experts + perCell - 1) / perCell;
        var sums = new long[Layers.Length, cells];
        for (var i = 0; i < Tokens.Length; i++) sums[i / Experts, i % Experts / perCell] += Tokens[i];
        var most = sums.Cast<long>().Max();
        var text = new Paragraph($"{Fitted(title, columns)}\n{"layer",LabelColumns} experts 0-{Experts - 1}\n");
        for (var row = 0; row < Layers.Length; row++)
        {
            text.Append($"{Layers[row],LabelColumns} |");
            for (var cell = 0; cell < cells; cell++)
            {
                var heat = Heat(sums[row, cell], most);
                text.Append(Ramp[heat].ToString(), new Style(s_heat[heat]));
            }

            text.Append("|\n");
        }

        if (perCell > 1) text.Append($"{perCell} experts in a cell\n");
        return text.Append(Fitted($"\"{Ramp}\": from none to {Number(most)} tokens", columns));
    }

    /// <summary>0 for none, 9 for <paramref name="most"/>, in even steps between.</summary>
    internal static int Heat(long tokens, long most) => tokens == 0 ? 0 : (int)Math.Clamp(Math.Ceiling(9.0 * tokens / most), 1, 9);

    private static string Fitted(string text, int columns) => text.Length <= columns ? text : text[..columns];

    private static string Number(long value) => value.ToString("#,0", CultureInfo.InvariantCulture);
}
