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

    public void Write(IAnsiConsole console, int columns)
    {
        var perCell = 1;
        while ((Experts + perCell - 1) / perCell > columns - LabelColumns - 3) perCell++;
        var cells = (Experts + perCell - 1) / perCell;
        var sums = new long[Layers.Length, cells];
        for (var i = 0; i < Tokens.Length; i++) sums[i / Experts, i % Experts / perCell] += Tokens[i];
        var most = sums.Cast<long>().Max();
        console.WriteLine(Fitted($"Tokens by layer and expert since the shards were loaded: {Number(Tokens.Sum())}", columns));
        console.WriteLine($"{"layer",LabelColumns} experts 0-{Experts - 1}");
        for (var row = 0; row < Layers.Length; row++)
        {
            console.Write($"{Layers[row],LabelColumns} |");
            for (var cell = 0; cell < cells; cell++) WriteCell(console, Heat(sums[row, cell], most));
            console.WriteLine("|");
        }

        if (perCell > 1) console.WriteLine($"{perCell} experts in a cell");
        console.WriteLine(Fitted($"\"{Ramp}\": from none to {Number(most)} tokens", columns));
    }

    /// <summary>0 for none, 9 for <paramref name="most"/>, in even steps between.</summary>
    internal static int Heat(long tokens, long most) => tokens == 0 ? 0 : (int)Math.Clamp(Math.Ceiling(9.0 * tokens / most), 1, 9);

    private static void WriteCell(IAnsiConsole console, int heat)
    {
        var cell = Ramp[heat].ToString();
        if (console.Profile.Capabilities.ColorSystem == ColorSystem.NoColors) console.Write(cell);
        else console.Write(cell, new Style(s_heat[heat]));
    }

    private static string Fitted(string text, int columns) => text.Length <= columns ? text : text[..columns];

    private static string Number(long value) => value.ToString("#,0", CultureInfo.InvariantCulture);
}
