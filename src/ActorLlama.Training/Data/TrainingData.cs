namespace ActorLlama.Training.Data;

/// <summary>Shortcuts over <see cref="ITrainingData"/>.</summary>
public static class TrainingData
{
    /// <summary>All slots of a step.</summary>
    public static TrainingBatch Batch(this ITrainingData data, long step) => data.Rows(step, [.. Enumerable.Range(0, data.Slots)]);
}
