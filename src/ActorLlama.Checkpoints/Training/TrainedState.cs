using ActorLlama.Model;

namespace ActorLlama.Checkpoints;

/// <summary>What a training run holds after a step, to be written by <see cref="TrainingCheckpoint"/>.</summary>
public sealed record TrainedState
{
    /// <summary>Text of the model's <c>config.json</c>.</summary>
    public required string ConfigJson { get; init; }

    /// <summary>The step whose update was the last; the run goes on with the next.</summary>
    public required long Step { get; init; }

    /// <summary>Every parameter under its canonical name, all of one type.</summary>
    public required IReadOnlyList<TensorData> Weights { get; init; }

    /// <summary>State of the optimizer under names of its own, such as <c>mu.</c> and a canonical name.</summary>
    public required IReadOnlyList<TensorData> Optimizer { get; init; }

    /// <summary>What the run wants to know of itself when it goes on; JSON, read back by <see cref="TrainingCheckpoint.RecordOf"/>.</summary>
    public string Record { get; init; } = "{}";

    /// <summary>Files to put beside them by name, such as the tokenizer; paths of what is copied.</summary>
    public IReadOnlyDictionary<string, string> Files { get; init; } = new Dictionary<string, string>();
}
