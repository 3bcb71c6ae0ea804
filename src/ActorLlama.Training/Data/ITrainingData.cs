namespace ActorLlama.Training.Data;

/// <summary>
/// Where batches come from. What a slot of a step holds is a function of the data's settings, the step and the slot: so any step can be made at any time, on
/// any machine, and by any device for the slots that are its own.
/// </summary>
public interface ITrainingData
{
    /// <summary>Sequences of a step: the global batch, over all devices and microbatches.</summary>
    int Slots { get; }

    /// <summary>Positions of a sequence.</summary>
    int Length { get; }

    /// <summary>Some slots of a step, in the order they are named.</summary>
    /// <param name="step">From 0.</param>
    /// <param name="slots">Each below <see cref="Slots"/>; at least one.</param>
    TrainingBatch Rows(long step, params ReadOnlySpan<int> slots);
}
