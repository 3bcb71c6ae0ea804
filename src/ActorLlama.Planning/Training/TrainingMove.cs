using ActorLlama.Protocol;

namespace ActorLlama.Planning.Training;

/// <summary>What has an owner in a training plan.</summary>
public enum TrainingPart
{
    /// <summary>A piece of every trunk parameter.</summary>
    Piece,

    /// <summary>A group of experts.</summary>
    ExpertShard,

    /// <summary>A sequence of the global batch: nothing but work moves with it.</summary>
    Slot,
}

/// <summary>Part <paramref name="Index"/> gets another owner.</summary>
public sealed record TrainingMove(TrainingPart Part, int Index, DeviceId From, DeviceId To);
