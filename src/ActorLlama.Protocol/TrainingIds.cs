using MessagePack;

namespace ActorLlama.Protocol;

/// <summary>
/// One attempt at one step (0 first), numbered by the coordinator of that epoch. Numbers are never used again, so no two attempts of a run have the same id, and the later one
/// is the greater.
/// </summary>
[MessagePackObject]
public readonly record struct AttemptId([property: Key(0)] long Step, [property: Key(1)] long Epoch, [property: Key(2)] long Number)
{
    /// <summary>Whether this attempt was begun after the other one.</summary>
    public bool IsAfter(AttemptId other) => (Epoch, Number).CompareTo((other.Epoch, other.Number)) > 0;

    public override string ToString() => $"step {Step}, attempt {Epoch}.{Number}";
}

/// <summary>
/// Which state of the model: that of the checkpoint with the digest <paramref name="Origin"/>, trained on until <paramref name="StepsDone"/> steps were done in all, of which
/// <paramref name="Updates"/> changed it; the others were skipped.
/// </summary>
[MessagePackObject]
public readonly record struct StateId([property: Key(0)] string Origin, [property: Key(1)] long StepsDone, [property: Key(2)] long Updates)
{
    public override string ToString() => $"\"{Origin}\" at {StepsDone} steps, {Updates} updates";
}

/// <summary>One try to write a checkpoint while a run goes on, numbered by the coordinator of that epoch.</summary>
[MessagePackObject]
public readonly record struct TrainingSaveId([property: Key(0)] long Epoch, [property: Key(1)] long Number)
{
    public override string ToString() => $"{Epoch}.{Number}";
}
