using ActorLlama.Protocol;

namespace ActorLlama.Cli;

/// <summary>Which node has a role now.</summary>
internal static class ChaosVictim
{
    /// <summary>The node, and in words what it holds; null when none has the role.</summary>
    /// <param name="status">The cluster now.</param>
    /// <param name="role">The role.</param>
    /// <param name="contact">Address of the node that the client came in by.</param>
    /// <param name="random">Chooses among several.</param>
    /// <param name="turn">With <see cref="ChaosRole.Any"/>: whose turn it is.</param>
    public static (NodeProtocol.Offer Node, string Holds)? Of(ClusterProtocol.Status status, ChaosRole role, string contact, Random random, int turn = 0)
    {
        var candidates = status.Nodes.Where(n => Has(status, n, role, contact)).ToArray();
        if (candidates.Length == 0) return null;
        if (role == ChaosRole.Any) candidates = [candidates[turn % candidates.Length]];
        var least = candidates.Min(n => Beside(status, n, role));
        candidates = [.. candidates.Where(n => Beside(status, n, role) == least)];
        var chosen = candidates[random.Next(candidates.Length)];
        return (chosen, Describe(status, chosen));
    }

    public static string Describe(ClusterProtocol.Status status, NodeProtocol.Offer node)
    {
        string?[] parts =
        [
            .. node.Stages.Select(s => $"stage {s.Placement.Index}{(node.Stages.Any(o => o.Placement.Pipeline > 0) ? $" of pipeline {s.Placement.Pipeline}" : "")}"),
            .. node.Shards.Select(s => $"expert shard {s.Placement.Shard}{(s.Placement.Replica > 0 ? $" (replica {s.Placement.Replica})" : "")}"),
            node.Node == status.Supervisor ? "the supervisor" : null,
            node.Counters.Sessions > 0 ? $"{node.Counters.Sessions} sessions" : null,
        ];
        var held = string.Join(", ", parts.Where(p => p is not null));
        return held.Length > 0 ? held : "nothing";
    }

    private static bool Has(ClusterProtocol.Status status, NodeProtocol.Offer node, ChaosRole role, string contact) => role switch
    {
        ChaosRole.Expert => node.Shards.Any(s => s.Expert is not null),
        ChaosRole.Stage => node.Stages.Any(s => s.Placement.Index == 0),
        ChaosRole.LaterStage => node.Stages.Any(s => s.Placement.Index > 0),
        ChaosRole.Supervisor => node.Node == status.Supervisor,
        ChaosRole.Session => node.Counters.Sessions > 0,
        ChaosRole.Contact => node.Node.Address == contact,
        ChaosRole.Target => status.Plan.Stages.Concat(status.Plan.Incoming).Any(s => s.Device.Node == node.Node && !node.Stages.Any(h => h.Placement == s && h.Stage is not null))
            || status.Plan.Shards.Any(s => s.Device.Node == node.Node && !node.Shards.Any(h => h.Placement == s && h.Expert is not null)),
        ChaosRole.Any => true,
        _ => throw new ArgumentOutOfRangeException(nameof(role), role, "Chaos: unknown role."),
    };

    /// <summary>How much else dies with it: the fault is to show what the role's loss costs.</summary>
    private static int Beside(ClusterProtocol.Status status, NodeProtocol.Offer node, ChaosRole role) =>
        role is ChaosRole.Expert or ChaosRole.Session or ChaosRole.LaterStage
            ? node.Stages.Count(s => s.Placement.Index == 0 || role != ChaosRole.LaterStage) * 4
                + (role == ChaosRole.Expert ? 0 : node.Shards.Length)
                + (node.Node == status.Supervisor ? 1 : 0)
            : 0;
}
