using ActorLlama.Protocol;

namespace ActorLlama.Planning.Training;

/// <summary>How a run ended.</summary>
public abstract record TrainingOutcome
{
    private TrainingOutcome()
    {
    }

    /// <summary>All steps are done or, <paramref name="Stopped"/>, somebody wanted it to stop.</summary>
    public sealed record Completed(StateId State, bool Stopped) : TrainingOutcome;

    /// <summary>Too many attempts failed, or devices were waited for in vain.</summary>
    public sealed record Failed(string Reason) : TrainingOutcome;

    /// <summary>A loss or gradient was not finite; nothing of that step was applied.</summary>
    public sealed record NotFinite(long Step, string Tensor) : TrainingOutcome;

    /// <summary>Somebody's state was lost and there is no checkpoint.</summary>
    public sealed record NoCompleteState(string Reason) : TrainingOutcome;

    /// <summary>Another coordinator has the run.</summary>
    public sealed record StoodDown(long Epoch) : TrainingOutcome;
}
