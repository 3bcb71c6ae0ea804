using ActorLlama.Planning.Training;

namespace ActorLlama.Training.Runs;

/// <summary>What a run does beside its steps.</summary>
public sealed record RunOptions
{
    public required RunCadence Cadence { get; init; }

    /// <summary><c>eval_steps</c>: batches of an evaluation; below 1: all.</summary>
    public long EvalSteps { get; init; } = -1;

    public NotFinitePolicy NotFinite { get; init; } = NotFinitePolicy.Stop;

    /// <summary>Text of the model's <c>config.json</c>, for checkpoints.</summary>
    public required string ConfigJson { get; init; }

    /// <summary>Files that go with checkpoints, by the name they get there: the tokenizer.</summary>
    public IReadOnlyDictionary<string, string> Files { get; init; } = new Dictionary<string, string>();

    /// <summary>Sequences of the global batch; null: not to be recorded.</summary>
    public int? Slots { get; init; }

    /// <summary>Flags on which it depends which tokens a step sees.</summary>
    public IReadOnlyDictionary<string, string> DataFlags { get; init; } = new Dictionary<string, string>();
}
