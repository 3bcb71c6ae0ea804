using System.Collections.Immutable;

namespace ActorLlama.Cli;

/// <summary>What must hold whatever was done: the tokens of the run that nothing disturbed, none missing, none twice, none later than the bound.</summary>
internal static class ChaosInvariants
{
    /// <summary>Of the cluster's history, and of Akka's own lines.</summary>
    private static readonly string[] s_alarms = ["Lost: ", "Planned: ", "UNREACHABLE"];

    private const string StandsStill = "its lanes stand still";

    /// <summary>Events of a device that says so, and of a process that ended instead.</summary>
    private static readonly (string Kind, string Text)[] s_shortages = [("Fault: ", "it ran out of memory"), ("Lost: ", "its process is gone")];

    /// <summary>Each that did not hold, in words.</summary>
    public static IEnumerable<string> Broken(
        ChaosFault fault, bool hadRole, int inPhase, ImmutableArray<ImmutableArray<int>> expected, ImmutableArray<ChaosStream> streams, long since, bool ended)
    {
        if (!hadRole) yield return $"it does not count: no node had the role {fault.Role}";
        if (inPhase == 0) yield return $"it does not count: no session was in the phase {fault.When}";
        if (!ended) yield return "sessions have not ended";
        for (var i = 0; i < streams.Length; i++)
        {
            if (streams[i].Failure is { } failure) yield return $"session {i} failed after {streams[i].Count} tokens: {failure}";
            foreach (var difference in streams[i].Answers.Select(answer => Difference(expected[i], answer)).OfType<string>()) yield return $"session {i}: {difference}";
            var pause = streams[i].LongestPauseSince(since);
            if (pause.TotalMilliseconds > fault.BoundMs) yield return $"session {i} paused for {pause.TotalMilliseconds:0} ms, above {fault.BoundMs} ms";
        }
    }

    /// <summary>What nodes and cluster said that they should not have, or did not say that they should have.</summary>
    /// <param name="fault">What was done.</param>
    /// <param name="said">Their lines since.</param>
    public static IEnumerable<string> BrokenByHistory(ChaosFault fault, IEnumerable<string> said) => fault.Do switch
    {
        ChaosDeed.Burn => said.Where(line => s_alarms.Any(alarm => line.Contains(alarm, StringComparison.Ordinal))).Take(3).Select(line => $"nobody was lost, yet: {line}"),
        ChaosDeed.Stall when !said.Any(line => line.Contains(StandsStill, StringComparison.Ordinal)) => [$"nobody said of the node that \"{StandsStill}\""],
        ChaosDeed.Starve when !Shortages(said).Any() => ["it does not count: no device ran out of memory, and no process ended of it"],
        _ => [],
    };

    /// <summary>What was said of devices that were short of memory, or of processes that ended.</summary>
    public static IEnumerable<string> Shortages(IEnumerable<string> said) =>
        said.Where(line => s_shortages.Any(s => line.StartsWith(s.Kind, StringComparison.Ordinal) && line.Contains(s.Text, StringComparison.Ordinal)));

    /// <summary>How the tokens differ from those of the run that nothing disturbed, or null.</summary>
    public static string? Difference(ImmutableArray<int> expected, ImmutableArray<int> actual)
    {
        var same = expected.Zip(actual).TakeWhile(p => p.First == p.Second).Count();
        return same == expected.Length && actual.Length == same ? null : $"{actual.Length} tokens, of which the first {same} of {expected.Length} are right";
    }
}
