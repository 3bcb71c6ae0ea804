using System.Collections.Immutable;
using System.Globalization;
using System.Text.RegularExpressions;
using ActorLlama.Planning.Placement;
using ActorLlama.Protocol;
using ActorLlama.Runtime.Configuration;

namespace ActorLlama.Cli;

/// <summary>Devices that a plan is made for: written as a list, or as a settings file has them. Every node is a host of its own.</summary>
internal static partial class DeviceList
{
    /// <summary>Devices of a node where the list does not say.</summary>
    private const int DevicesPerNode = 8;

    private const int MostDevices = 4096;

    /// <summary>
    /// Devices of a list such as <c>8x80GiB</c>, <c>2x8x80GiB</c> (nodes, devices of each, memory) or <c>2x80GiB:trunk,8x40GiB:experts</c>.
    /// Without a number of nodes, a part makes nodes of eight devices. Throws <see cref="InvalidDataException"/> for anything else.
    /// </summary>
    public static ImmutableArray<PlannedDevice> Parse(string list)
    {
        var devices = ImmutableArray.CreateBuilder<PlannedDevice>();
        var nodes = 0;
        foreach (var part in list.Split(',', StringSplitOptions.TrimEntries))
        {
            var match = Part().Match(part);
            if (!match.Success || ByteText.Parse(match.Groups["memory"].Value) is not { } bytes) throw Wrong(part);
            var perNode = Count(match.Groups["devices"], 1);
            var total = (long)perNode * Count(match.Groups["nodes"], 1);
            if (total is < 1 or > MostDevices) throw Wrong(part);
            if (!match.Groups["nodes"].Success) perNode = Math.Min(perNode, DevicesPerNode);
            var roles = match.Groups["roles"].Success ? match.Groups["roles"].Value.Split('+') : [NodeOptions.Trunk, NodeOptions.Experts];
            for (var i = 0; i < total; i++)
            {
                if (i % perNode == 0) nodes++;
                devices.Add(Device(nodes, $"cuda:{i % perNode}", bytes, roles));
            }
        }

        return devices.Count <= MostDevices ? devices.ToImmutable() : throw Wrong(list);
    }

    /// <summary>The devices of <paramref name="nodes"/> nodes that are all set up like this.</summary>
    public static ImmutableArray<PlannedDevice> Of(NodeOptions options, int nodes) =>
        [.. Enumerable.Range(1, nodes).SelectMany(node => options.Devices.Select(d => Device(node, d.Name, d.MemoryBytes, options.Roles)))];

    private static PlannedDevice Device(int node, string name, long bytes, IReadOnlyCollection<string> roles) => new(
        new DeviceId(new NodeId($"node-{node}", node), name), $"node-{node}", $"node-{node}", bytes,
        roles.Contains(NodeOptions.Trunk), roles.Contains(NodeOptions.Experts));

    private static int Count(Group group, int otherwise) =>
        !group.Success ? otherwise : int.TryParse(group.Value, NumberStyles.None, CultureInfo.InvariantCulture, out var count) ? count : 0;

    private static InvalidDataException Wrong(string part) => new(
        $"Devices: \"{part}\" is no list of devices, at most {MostDevices} in all. "
        + "Write it as in 8x80GiB, 2x8x80GiB (nodes, devices of each, memory) or 2x80GiB:trunk,8x40GiB:experts.");

    [GeneratedRegex("^(((?<nodes>[0-9]+)x)?(?<devices>[0-9]+)x)?(?<memory>[0-9.]+ *[A-Za-z]+)(:(?<roles>(trunk|experts)(\\+(trunk|experts))?))?$")]
    private static partial Regex Part();
}
