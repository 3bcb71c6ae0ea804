using System.Collections.Immutable;
using System.Globalization;

namespace ActorLlama.Kernels;

/// <summary>
/// The processors that this process may use (its affinity mask, which taskset and cgroups' cpusets set), by NUMA node. Within a node one thread of each core comes first, then
/// the cores' second threads.
/// </summary>
/// <param name="Nodes">Numbers of processors, as Linux counts them; nodes without any are left out.</param>
public sealed record CpuTopology(ImmutableArray<ImmutableArray<int>> Nodes)
{
    private const string Root = "/sys/devices/system";

    /// <summary>How many processors this machine has, whoever may use them; 0 where the system does not tell.</summary>
    public static int MachineProcessors { get; } = OnlineIn(Root) is { } list ? ProcessorsIn(list).Count() : 0;

    /// <summary>This machine's. Empty where the system does not tell.</summary>
    public static CpuTopology OfThisMachine() => Read(Root, ProcessorAffinity.OfThisThread());

    /// <summary>Reads <c>node/node*/cpulist</c> and <c>cpu/cpu*/topology/thread_siblings_list</c> below a folder laid out like <c>/sys/devices/system</c>.</summary>
    /// <param name="root">The folder.</param>
    /// <param name="allowed">Processors that may be used.</param>
    public static CpuTopology Read(string root, IReadOnlyCollection<int> allowed)
    {
        var folder = Path.Combine(root, "node");
        var lists = Directory.Exists(folder)
            ? Directory.EnumerateDirectories(folder, "node*").Select(node => (Number: Path.GetFileName(node)["node".Length..], File: Path.Combine(node, "cpulist")))
                .Where(node => int.TryParse(node.Number, NumberStyles.None, CultureInfo.InvariantCulture, out _) && File.Exists(node.File))
                .OrderBy(node => int.Parse(node.Number, CultureInfo.InvariantCulture)).Select(node => File.ReadAllText(node.File))
            : OnlineIn(root) is { } online ? [online] : [];
        return new([.. lists.Select(list => InOrder(root, ProcessorsIn(list).Where(allowed.Contains))).Where(node => !node.IsEmpty)]);
    }

    /// <summary>The list of processors that are there; null where the system does not tell.</summary>
    private static string? OnlineIn(string root) => Path.Combine(root, "cpu", "online") is var file && File.Exists(file) ? File.ReadAllText(file) : null;

    /// <summary>A list as Linux writes it: "0-3,8,10-11". Throws <see cref="InvalidDataException"/> for another text.</summary>
    internal static IEnumerable<int> ProcessorsIn(string list)
    {
        foreach (var part in list.Trim().Split(',', StringSplitOptions.RemoveEmptyEntries))
        {
            var ends = part.Split('-');
            if (ends.Length > 2 || !int.TryParse(ends[0], NumberStyles.None, CultureInfo.InvariantCulture, out var first) || !int.TryParse(ends[^1], NumberStyles.None, CultureInfo.InvariantCulture, out var last))
                throw new InvalidDataException($"Processors: \"{list.Trim()}\" is no list such as \"0-3,8\". Set actorllama.node.placement to \"off\".");
            for (var processor = first; processor <= last; processor++) yield return processor;
        }
    }

    /// <summary>By how many allowed threads of the same core come before, then by number.</summary>
    private static ImmutableArray<int> InOrder(string root, IEnumerable<int> processors)
    {
        int[] all = [.. processors.Order()];
        return [.. all.OrderBy(processor => SiblingsOf(root, processor).Count(sibling => sibling < processor && all.Contains(sibling)))];
    }

    private static IEnumerable<int> SiblingsOf(string root, int processor)
    {
        var file = Path.Combine(root, "cpu", string.Create(CultureInfo.InvariantCulture, $"cpu{processor}"), "topology", "thread_siblings_list");
        return File.Exists(file) ? ProcessorsIn(File.ReadAllText(file)) : [];
    }
}
