using System.Diagnostics;

namespace ActorLlama.Training;

/// <summary>What a step's time is spent on.</summary>
public enum StepPhase : byte
{
    /// <summary>Layers but their routed experts, and the embedding; forward, again, and back.</summary>
    Trunk = 0,

    /// <summary>Routed experts, with sorting rows and placing answers.</summary>
    Experts = 1,

    /// <summary>Final norm, head and loss, and back.</summary>
    Head = 2,

    /// <summary>Sums of gradients, and norms.</summary>
    Sums = 3,

    /// <summary>The optimizer.</summary>
    Update = 4,
}

/// <summary>Time by phase: at any moment one phase's clock runs. For one thread.</summary>
internal sealed class PhaseClock
{
    private readonly TimeSpan[] _spent = new TimeSpan[Enum.GetValues<StepPhase>().Length];
    private StepPhase _phase;
    private long _since = Stopwatch.GetTimestamp();

    public IReadOnlyList<TimeSpan> Spent => _spent;

    /// <summary>Starts anew, in the trunk.</summary>
    public void Restart()
    {
        Array.Clear(_spent);
        (_phase, _since) = (StepPhase.Trunk, Stopwatch.GetTimestamp());
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
