using ActorLlama.Planning.Placement;
using ActorLlama.Planning.Supervision;
using ActorLlama.Protocol;
using Spectre.Console;
using Spectre.Console.Rendering;
using Label = Spectre.Console.Text;

namespace ActorLlama.Cli;

/// <summary>A cluster's status for a person: one row per node.</summary>
internal static class StatusTable
{
    /// <param name="status">Null before the cluster has answered.</param>
    /// <param name="local">Node processes of our own, shown also before they are members.</param>
    public static IRenderable Of(ClusterProtocol.Status? status, IReadOnlyList<LocalNode>? local = null)
    {
        var table = new Table().Border(TableBorder.Simple).AddColumns("Node", "State", "Address", "Device", "Holds", "Weights");
        table.Title = new TableTitle(Markup.Escape(TitleOf(status)));
        foreach (var node in status?.Nodes ?? []) AddRow(table, node.Name, StateOf(node), node.Node.Address, node);
        foreach (var process in local ?? [])
            if (status is null || status.Nodes.All(n => n.Node.Address != process.Address))
                AddRow(table, process.Name, process.HasExited ? "ended" : "starting", process.Address, null);
        return table;
    }

    public static string StateOf(NodeProtocol.Offer node)
    {
        if (node.Stages.Any(s => s.Fault is not null) || node.Shards.Any(s => s.Fault is not null)) return "failed";
        if (node.Stages.Length + node.Shards.Length == 0) return "waiting";
        return node.Stages.All(s => s.Stage is not null) && node.Shards.All(s => s.Expert is not null) ? "loaded" : "loading";
    }

    private static string TitleOf(ClusterProtocol.Status? status) =>
        status is null ? "Starting" : status.Reason.Length > 0 ? $"{status.State}: {status.Reason}" : $"{status.State}";

    private static void AddRow(Table table, string name, string state, string address, NodeProtocol.Offer? node) => table.AddRow(
        new Label(name),
        new Label(state, state switch { "loaded" => new Style(Color.Green), "failed" or "ended" => new Style(Color.Red), _ => new Style(Color.Yellow) }),
        new Label(address[(address.IndexOf('@') + 1)..]),
        new Label(node is null ? "" : string.Join("\n", node.Devices.Select(d => $"{d.Name}\n{ByteText.Of(d.MemoryBytes)}"))),
        new Label(node is null ? "" : string.Join("\n", Holdings(node))),
        new Label(node is null ? "" : WeightsOf(node)));

    /// <summary>Bytes held; while it loads, bytes read of those to be read.</summary>
    private static string WeightsOf(NodeProtocol.Offer node) => StateOf(node) == "loading"
        ? $"{ByteText.Of(node.Stages.Sum(LoadProgress.Of) + node.Shards.Sum(LoadProgress.Of))}\nof "
            + ByteText.Of(node.Stages.Sum(s => s.Placement.WeightBytes) + node.Shards.Sum(s => s.Placement.WeightBytes))
        : ByteText.Of(node.Stages.Sum(s => s.LoadedBytes) + node.Shards.Sum(s => s.LoadedBytes));

    private static IEnumerable<string> Holdings(NodeProtocol.Offer node) =>
        PlacementText.Of(node.Stages.Select(s => s.Placement), node.Shards.Select(s => s.Placement));
}
