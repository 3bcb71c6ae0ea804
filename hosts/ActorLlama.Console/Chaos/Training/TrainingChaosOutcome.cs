using System.Collections.Immutable;

namespace ActorLlama.Cli;

/// <summary>One node that something happened to, in the phase aimed at.</summary>
internal sealed record TrainingHit(ChaosDeed Do, int ForMs, TrainingPhase Phase, long Step, string Node);

/// <summary>What came of a disturbed run.</summary>
/// <param name="Seed">Of what was drawn.</param>
/// <param name="Waits">It waits for replacements instead of going on with the nodes that are left.</param>
/// <param name="Hits">What happened, in order.</param>
/// <param name="Missed">How often a node had left the phase before it stood still; it was let go on.</param>
/// <param name="Repeated">Steps that were made again.</param>
/// <param name="Seconds">How long the run took.</param>
/// <param name="Faults">What was wrong, in words; empty: it learned what the undisturbed run did, and no step was applied twice or in part.</param>
internal sealed record TrainingChaosOutcome(int Seed, bool Waits, ImmutableArray<TrainingHit> Hits, int Missed, int Repeated, double Seconds, ImmutableArray<string> Faults)
{
    public void Write(TextWriter to)
    {
        to.WriteLine($"{(Faults.IsEmpty ? "held  " : "BROKEN")} seed {Seed}, {(Waits ? "waiting for replacements" : "going on with those left")}: {Repeated} steps made again, {Seconds:0} s");
        foreach (var hit in Hits) to.WriteLine($"       {hit.Do}{(hit.ForMs > 0 ? $" for {hit.ForMs / 1000} s" : "")} of {hit.Node} in {hit.Phase} of step {hit.Step}");
        foreach (var broken in Faults) to.WriteLine($"       {broken}");
    }

    public object ToJson() => new
    {
        seed = Seed,
        waits = Waits,
        hits = Hits.Select(hit => new { @do = $"{hit.Do}", for_ms = hit.ForMs, phase = $"{hit.Phase}", step = hit.Step, node = hit.Node }),
        missed = Missed,
        repeated = Repeated,
        seconds = Math.Round(Seconds, 1),
        faults = Faults,
    };

    public static void WriteSummary(IReadOnlyList<TrainingChaosOutcome> outcomes, TextWriter to)
    {
        to.WriteLine();
        foreach (var phase in outcomes.SelectMany(outcome => outcome.Hits).GroupBy(hit => hit.Phase).OrderBy(group => group.Key))
            to.WriteLine($"{phase.Key}: {string.Join(", ", phase.GroupBy(hit => (hit.Do, hit.ForMs)).OrderBy(group => group.Key).Select(group => $"{group.Key.Do}{(group.Key.ForMs > 0 ? $" {group.Key.ForMs / 1000} s" : "")} x {group.Count()}"))}");
        to.WriteLine(outcomes.All(outcome => outcome.Faults.IsEmpty)
            ? $"All {outcomes.Count} runs learned what the undisturbed run did, to the bit, and applied each step once and whole."
            : $"{outcomes.Count(outcome => !outcome.Faults.IsEmpty)} of {outcomes.Count} runs broke an invariant.");
    }

    public static object Summary(IReadOnlyList<TrainingChaosOutcome> outcomes) => new
    {
        held = outcomes.All(outcome => outcome.Faults.IsEmpty),
        runs = outcomes.Count,
        hits = outcomes.Sum(outcome => outcome.Hits.Length),
    };
}
