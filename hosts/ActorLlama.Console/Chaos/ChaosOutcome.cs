using System.Collections.Immutable;

namespace ActorLlama.Cli;

/// <summary>What came of one fault.</summary>
internal sealed record ChaosOutcome
{
    public required string Scenario { get; init; }

    public required int Seed { get; init; }

    public required ChaosFault Fault { get; init; }

    /// <summary>The nodes that it met, and what they held just then.</summary>
    public required string Victim { get; init; }

    public required string Held { get; init; }

    /// <summary>How many sessions were in the phase aimed at. The fault counts only when there was one, and the victim had the role.</summary>
    public required int InPhase { get; init; }

    public required int Sessions { get; init; }

    /// <summary>Answers that were read to their end: more than sessions where they were opened anew.</summary>
    public required int Answers { get; init; }

    /// <summary>Each session's longest time without a token from the fault on.</summary>
    public required ImmutableArray<TimeSpan> Pauses { get; init; }

    /// <summary>The longest such time of the run that nothing disturbed.</summary>
    public required TimeSpan UndisturbedPause { get; init; }

    /// <summary>What was wrong, in words: tokens, failed sessions, pauses beyond the bound, a fault that did not count. Empty: every invariant held.</summary>
    public required ImmutableArray<string> Faults { get; init; }

    /// <summary>What the fault told of itself.</summary>
    public ImmutableArray<string> Told { get; init; } = [];

    /// <summary>What happened, in milliseconds from the fault.</summary>
    public required ImmutableArray<(double Ms, string Node, string What)> Timeline { get; init; }

    public TimeSpan LongestPause => Pauses.DefaultIfEmpty().Max();

    public object ToJson() => new
    {
        scenario = Scenario,
        seed = Seed,
        @do = $"{Fault.Do}",
        role = $"{Fault.Role}",
        when = $"{Fault.When}",
        victim = Victim,
        held = Held,
        sessions = Sessions,
        answers = Answers,
        times = Fault.Times,
        sessions_in_phase = InPhase,
        pause_ms = Math.Round(LongestPause.TotalMilliseconds),
        pauses_ms = Pauses.Select(p => Math.Round(p.TotalMilliseconds)),
        bound_ms = Fault.BoundMs,
        undisturbed_pause_ms = Math.Round(UndisturbedPause.TotalMilliseconds),
        faults = Faults,
        told = Told,
        timeline = Timeline.Select(t => new { ms = Math.Round(t.Ms), node = t.Node, what = t.What }),
    };
}
