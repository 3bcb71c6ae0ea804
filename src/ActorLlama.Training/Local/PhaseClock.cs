using System.Collections.Immutable;
using System.Diagnostics;
using ActorLlama.Protocol;

namespace ActorLlama.Training;

/// <summary>Time by phase: at any moment one phase's clock runs. For one thread.</summary>
internal sealed class PhaseClock
{
    private readonly TimeSpan[] _spent = new TimeSpan[Enum.GetValues<StepPhase>().Length];
    private StepPhase _phase;
    private long _since = Stopwatch.GetTimestamp();

    public IReadOnlyList<TimeSpan> Spent => _spent;

    /// <summary>Starts anew, in that phase.</summary>
    public void Restart(StepPhase phase)
    {
        Array.Clear(_spent);
        (_phase, _since) = (phase, Stopwatch.GetTimestamp());
    }

    /// <summary>Microseconds by phase until now; all clocks start anew.</summary>
    public ImmutableArray<long> Take()
    {
        Switch(_phase);
        ImmutableArray<long> micros = [.. _spent.Select(spent => (long)spent.TotalMicroseconds)];
        Array.Clear(_spent);
        return micros;
    }

    /// <summary>Counts for a phase until what is returned is disposed; then for the phase before.</summary>
    public Span Enter(StepPhase phase)
    {
        var before = _phase;
        Switch(phase);
        return new Span(this, before);
    }

    private void Switch(StepPhase phase)
    {
        var now = Stopwatch.GetTimestamp();
        _spent[(int)_phase] += Stopwatch.GetElapsedTime(_since, now);
        (_phase, _since) = (phase, now);
    }

    /// <summary>A phase that runs until this is disposed.</summary>
    internal readonly ref struct Span(PhaseClock clock, StepPhase before) : IDisposable
    {
        public void Dispose() => clock.Switch(before);
    }
}
