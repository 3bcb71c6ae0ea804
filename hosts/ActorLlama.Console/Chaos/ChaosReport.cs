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
        foreach (var told in outcome.Told) to.WriteLine($"       {told}");
        foreach (var broken in outcome.Faults) to.WriteLine($"       {broken}");
        if (outcome.Faults.IsEmpty) return;
        foreach (var (ms, node, what) in outcome.Timeline) to.WriteLine($"       {ms,7:0} ms {node}: {what}");
    }

    /// <summary>A table, in Markdown, of each fault over all seeds.</summary>
    public static void WriteSummary(IReadOnlyList<ChaosOutcome> outcomes, TextWriter to)
    {
        to.WriteLine();
        to.WriteLine("| fault | sessions in | cluster | times | broken | pause: median | maximum | bound |");
        to.WriteLine("|---|---|---|---|---|---|---|---|");
        foreach (var group in Groups(outcomes))
            to.WriteLine(
                $"| {Name(group.First().Fault)} | {group.Key.When} | {group.Key.Scenario} | {group.Sum(o => o.Fault.Times)} | {group.Count(o => !o.Faults.IsEmpty)} "
                + $"| {Median(group) / 1000:0.00} s | {Maximum(group) / 1000:0.00} s | {group.First().Fault.BoundMs / 1000.0:0.0} s |");
        to.WriteLine();
        to.WriteLine(outcomes.All(o => o.Faults.IsEmpty) ? "Every invariant held." : $"{outcomes.Count(o => !o.Faults.IsEmpty)} of {outcomes.Count} faults broke an invariant.");
    }

    private static string Name(ChaosFault fault) =>
        fault.Do is ChaosDeed.Roll or ChaosDeed.Burn or ChaosDeed.Scale or ChaosDeed.Soak ? $"{fault.Do}" : $"{fault.Do} {fault.Role}";

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
