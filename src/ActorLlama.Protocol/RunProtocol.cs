using System.Collections.Immutable;
using MessagePack;

namespace ActorLlama.Protocol;

/// <summary>What a client asks of a training run; answered by the run's coordinator, beside the supervisor. A cluster trains one model at a time.</summary>
public static class RunProtocol
{
    /// <summary>
    /// Train as these settings say. Answered by <see cref="Status"/>, also when the run is going on: a client whose run is unknown says it again, and so do the devices that
    /// hold parts of it. <paramref name="MayHaveBegun"/>: a coordinator before this one may have made steps.
    /// </summary>
    [MessagePackObject]
    public sealed record Start(
        [property: Key(0)] string Run, [property: Key(1)] string Settings, [property: Key(2)] bool MayHaveBegun) : IClusterMessage;

    /// <summary>Answered by <see cref="Status"/> with the events of that coordinator after number <paramref name="After"/>.</summary>
    [MessagePackObject]
    public sealed record Get([property: Key(0)] string Run, [property: Key(1)] string Coordinator, [property: Key(2)] long After) : IClusterMessage;

    /// <summary>End after the step that is being made, with a checkpoint if the run has any. Answered by <see cref="Status"/>.</summary>
    [MessagePackObject]
    public sealed record Stop([property: Key(0)] string Run) : IClusterMessage;

    /// <summary>
    /// Where the run is. <paramref name="Reason"/>: why it waits or how it ended. <paramref name="Coordinator"/>: who numbered the events; another one begins at 1 again.
    /// <paramref name="StepsDone"/>: of the model's whole training.
    /// </summary>
    [MessagePackObject]
    public sealed record Status(
        [property: Key(0)] string Run,
        [property: Key(1)] string Coordinator,
        [property: Key(2)] RunState State,
        [property: Key(3)] string Reason,
        [property: Key(4)] long StepsDone,
        [property: Key(5)] ImmutableArray<Event> Events) : IClusterMessage;

    /// <summary>Something a person wants to know: a step that is done, an evaluation, or a sentence.</summary>
    [MessagePackObject]
    public sealed record Event([property: Key(0)] long Number, [property: Key(1)] Step? Step, [property: Key(2)] string Text, [property: Key(3)] Evaluation? Evaluation);

    /// <summary>What the held-out text came to after a step. Losses are means over the tokens that count.</summary>
    [MessagePackObject]
    public sealed record Evaluation(
        [property: Key(0)] long Step,
        [property: Key(1)] double Loss,
        [property: Key(2)] long Tokens,
        [property: Key(3)] double ZLoss,
        [property: Key(4)] double LoadBalance,
        [property: Key(5)] double BytesPerToken);

    /// <summary>A step that is done. Losses are means over the tokens that count; <paramref name="NotFinite"/>: why the step was left out, or null. Times: as in a device's report, summed over devices.</summary>
    [MessagePackObject]
    public sealed record Step(
        [property: Key(0)] long Number,
        [property: Key(1)] double Seconds,
        [property: Key(2)] double LmLoss,
        [property: Key(3)] double ZLoss,
        [property: Key(4)] double LoadBalance,
        [property: Key(5)] long Tokens,
        [property: Key(6)] double GradNorm,
        [property: Key(7)] double RawGradNorm,
        [property: Key(8)] double? ParamNorm,
        [property: Key(9)] double LearningRate,
        [property: Key(10)] string? NotFinite,
        [property: Key(11)] ImmutableArray<long> ExpertRows,
        [property: Key(12)] ImmutableArray<long> Micros);
}

/// <summary>Where a run is.</summary>
public enum RunState : byte
{
    /// <summary>Nobody knows it: it was never begun, or whoever coordinated it is gone.</summary>
    Unknown = 0,

    /// <summary>Devices are found out about, or load.</summary>
    Starting = 1,
    Training = 2,

    /// <summary>Too few devices.</summary>
    Waiting = 3,

    /// <summary>All steps are done.</summary>
    Completed = 4,

    /// <summary>It ended because somebody wanted it to.</summary>
    Stopped = 5,
    Failed = 6,
}
