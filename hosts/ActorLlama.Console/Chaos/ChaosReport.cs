namespace ActorLlama.Cli;

/// <summary>What came of faults, for people and programs.</summary>
internal static class ChaosReport
{
    public static void Write(ChaosOutcome outcome, TextWriter to)
    {
        var fault = outcome.Fault;
        to.WriteLine($"{(outcome.Faults.IsEmpty ? "held  " : "BROKEN")} {fault.Do} of {outcome.Victim} ({outcome.Held}) as {fault.Role}, seed {outcome.Seed}: {outcome.Scenario}");
        to.WriteLine(
            $"       {outcome.InPhase} of {outcome.Sessions} sessions were in {fault.When}; longest pause {outcome.LongestPause.TotalMilliseconds:0} ms of {fault.BoundMs} ms "
            + $"({outcome.UndisturbedPause.TotalMilliseconds:0} ms undisturbed)");
        foreach (var broken in outcome.Faults) to.WriteLine($"       {broken}");
        if (outcome.Faults.IsEmpty) return;
        foreach (var (ms, node, what) in outcome.Timeline) to.WriteLine($"       {ms,7:0} ms {node}: {what}");
    }

    public static void WriteSummary(IReadOnlyList<ChaosOutcome> outcomes, TextWriter to)
    {
        to.WriteLine();
        foreach (var group in Groups(outcomes))
            to.WriteLine(
                $"{group.Key.Do} {group.Key.Role} in {group.Key.When}, {group.Key.Scenario}: {group.Count()} times, {group.Count(o => !o.Faults.IsEmpty)} broken, "
                + $"longest pause median {Median(group):0} ms, maximum {Maximum(group):0} ms, bound {group.First().Fault.BoundMs} ms");
        to.WriteLine(outcomes.All(o => o.Faults.IsEmpty) ? "Every invariant held." : $"{outcomes.Count(o => !o.Faults.IsEmpty)} of {outcomes.Count} faults broke an invariant.");
    }

    public static object Summary(IReadOnlyList<ChaosOutcome> outcomes) => new
    {
        held = outcomes.All(o => o.Faults.IsEmpty),
        faults = outcomes.Count,
        broken = outcomes.Count(o => !o.Faults.IsEmpty),
        roles = Groups(outcomes).Select(group => new
        {
            scenario = group.Key.Scenario,
            @do = $"{group.Key.Do}",
            role = $"{group.Key.Role}",
            when = $"{group.Key.When}",
            times = group.Count(),
            broken = group.Count(o => !o.Faults.IsEmpty),
            median_pause_ms = Math.Round(Median(group)),
            max_pause_ms = Math.Round(Maximum(group)),
            bound_ms = group.First().Fault.BoundMs,
        }),
    };

    private static IEnumerable<IGrouping<(string Scenario, ChaosDeed Do, ChaosRole Role, ChaosPhase When), ChaosOutcome>> Groups(IEnumerable<ChaosOutcome> outcomes) =>
        outcomes.GroupBy(o => (o.Scenario, o.Fault.Do, o.Fault.Role, o.Fault.When));

    private static double Median(IEnumerable<ChaosOutcome> outcomes)
    {
        var sorted = outcomes.Select(o => o.LongestPause.TotalMilliseconds).Order().ToArray();
        return (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
    }

    private static double Maximum(IEnumerable<ChaosOutcome> outcomes) => outcomes.Max(o => o.LongestPause.TotalMilliseconds);
}
