using System.Collections.Immutable;
using ActorLlama.Protocol;

namespace ActorLlama.Planning.Supervision;

/// <summary>
/// Which members may be declared lost at once. Their lanes have ended and their ports refuse connections, so their processes are gone: in a partition nothing is
/// refused. All the same one side only may say so, for a filter between two networks can refuse in a peer's name: the majority, or whoever shares a machine with them, whose own
/// kernel then said it.
/// </summary>
public static class LossRules
{
    /// <summary>Of <paramref name="gone"/> those that may be declared lost.</summary>
    /// <param name="self">Who decides.</param>
    /// <param name="members">All members, itself and those gone too.</param>
    /// <param name="gone">Members whose ports refuse.</param>
    public static ImmutableArray<NodeId> Declare(NodeId self, IReadOnlyCollection<NodeId> members, IReadOnlyCollection<NodeId> gone)
    {
        var ours = gone.Where(members.Contains).Where(n => n.Host == self.Host).ToArray();
        var others = gone.Where(members.Contains).Except(ours).ToArray();
        var voters = members.Count - ours.Length;
        return (voters - others.Length) * 2 > voters ? [.. ours, .. others] : [.. ours];
    }
}
