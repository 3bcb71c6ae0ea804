using ActorLlama.Planning.Placement;
using ActorLlama.Planning.Supervision;
using ActorLlama.Protocol;
using Spectre.Console;
using Spectre.Console.Rendering;
using Label = Spectre.Console.Text;

namespace ActorLlama.Cli;

/// <summary>A cluster's status for a person: one row per device.</summary>
internal static class StatusTable
{
    /// <summary>The narrowest terminal on which it can be read.</summary>
    public const int FewestColumns = 60;

    /// <param name="status">Null before the cluster has answered.</param>
    /// <param name="local">Node processes of our own, shown also before they are members.</param>
    public static IRenderable Of(ClusterProtocol.Status? status, IReadOnlyList<LocalNode>? local = null)
    {
        var table = new Table().Border(TableBorder.Simple).AddColumns("Node", "State", "Device", "Memory", "Weights", "Holds");
        table.Title = new TableTitle(Markup.Escape(TitleOf(status)));
        foreach (var node in status?.Nodes ?? []) AddNode(table, node);
        foreach (var process in local ?? [])
            if (status is null || status.Nodes.All(n => n.Node.Address != process.Address))
                table.AddRow(Of($"{process.Name}\n{HostOf(process.Address)}"), OfState(process.HasExited ? "ended" : "starting"), Of(""), Of(""), Of(""), Of(""));
        if (status is { Nodes.IsEmpty: false })
            table.Caption = new TableTitle(
                $"KV cache {ByteText.Of(status.Nodes.Sum(n => n.Counters.KvBytes))}, sessions {status.Nodes.Sum(n => n.Counters.Sessions)}, plan {status.Plan.Epoch}");
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

    /// <summary>A row for each device; the node's name stands in the first.</summary>
    private static void AddNode(Table table, NodeProtocol.Offer node)
    {
        var name = $"{node.Name}{(node.IsLeaving ? " (drained)" : "")}\n{HostOf(node.Node.Address)}";
        foreach (var (device, i) in node.Devices.Select((d, i) => (d, i)))
        {
            var stages = node.Stages.Where(s => s.Placement.Device.Name == device.Name).ToArray();
            var shards = node.Shards.Where(s => s.Placement.Device.Name == device.Name).ToArray();
            table.AddRow(
                Of(i == 0 ? name : ""), i == 0 ? OfState(StateOf(node)) : Of(""), Of(device.Name), Of(ByteText.Of(device.MemoryBytes)),
                Of(WeightsOf(stages, shards)),
                Of(string.Join("\n", PlacementText.Of(stages.Select(s => s.Placement), shards.Select(s => s.Placement)))));
        }
    }

    /// <summary>Bytes held; while it loads, bytes read of those to be read.</summary>
    private static string WeightsOf(NodeProtocol.HeldStage[] stages, NodeProtocol.HeldShard[] shards) =>
        stages.All(s => s.Stage is not null) && shards.All(s => s.Expert is not null)
            ? ByteText.Of(stages.Sum(s => s.LoadedBytes) + shards.Sum(s => s.LoadedBytes))
            : $"{ByteText.Of(stages.Sum(LoadProgress.Of) + shards.Sum(LoadProgress.Of))}\nof "
                + ByteText.Of(stages.Sum(s => s.Placement.WeightBytes) + shards.Sum(s => s.Placement.WeightBytes));

    private static string HostOf(string address) => address[(address.IndexOf('@') + 1)..];

    private static Label Of(string text) => new(text);

    private static Label OfState(string state) =>
        new(state, state switch { "loaded" => new Style(Color.Green), "failed" or "ended" => new Style(Color.Red), _ => new Style(Color.Yellow) });
}
