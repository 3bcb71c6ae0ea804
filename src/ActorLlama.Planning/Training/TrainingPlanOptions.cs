namespace ActorLlama.Planning.Training;

/// <summary>What a run's plan is asked for; parallelism and batch count the devices that it starts with.</summary>
public sealed record TrainingPlanOptions
{
    /// <summary>Devices along the axis that parameters and batch are sharded over; -1: what the other axis leaves.</summary>
    public int IciFsdpParallelism { get; init; } = -1;

    /// <summary>Devices along the axis that experts are sharded over; -1: what the other axis leaves.</summary>
    public int IciExpertParallelism { get; init; } = 1;

    /// <summary>Shards that the experts are divided into; null: as <see cref="IciExpertParallelism"/> says if that is above 1, else one per device, as far as there are experts.</summary>
    public int? ExpertShards { get; init; }

    /// <summary>Sequences per device and microbatch. May be a fraction: then some devices have none.</summary>
    public double PerDeviceBatchSize { get; init; } = 12;

    /// <summary>Microbatches per step.</summary>
    public int GradientAccumulationSteps { get; init; } = 1;

    /// <summary>Sequences of the global batch, as a run that goes on has stored them; null: <see cref="PerDeviceBatchSize"/> on the devices that it begins with.</summary>
    public int? Slots { get; init; }

    /// <summary>Positions per sequence.</summary>
    public int MaxTargetLength { get; init; } = 2048;

    /// <summary>Pieces that every trunk parameter is divided into: as many devices may own some. They are what moves, and the chunks that the gradient's norm is summed by.</summary>
    public int Pieces { get; init; } = 240;

    /// <summary>Bytes of an element as it is kept (<c>weight_dtype</c>).</summary>
    public int WeightBytes { get; init; } = 4;

    /// <summary>Bytes of an element of a summed gradient (<c>grad_dtype</c>).</summary>
    public int GradientBytes { get; init; } = 4;

    /// <summary>Bytes of an element of one of the two moments (<c>mu_dtype</c>, or as weights).</summary>
    public int MomentBytes { get; init; } = 4;

    /// <summary>Bytes of an element as it is computed with (<c>dtype</c>).</summary>
    public int ComputeBytes { get; init; } = 2;

    /// <summary>Sequences of the global batch over all microbatches, or what is wrong with the options.</summary>
    internal (int Slots, string? Fault) SlotsOn(int devices)
    {
        if (Slots is { } stored) return stored < 1 ? (0, $"Training plan: slots is {stored}; at least 1 is needed. Change slots.") : (stored, null);
        var perMicrobatch = PerDeviceBatchSize * devices;
        var whole = Math.Round(perMicrobatch);
        return !(PerDeviceBatchSize > 0) || Math.Abs(perMicrobatch - whole) > 1e-6 || whole < 1 || whole * GradientAccumulationSteps > int.MaxValue
            ? (0, $"Training plan: per_device_batch_size is {PerDeviceBatchSize}, which on {devices} devices is {perMicrobatch} sequences; a whole number of at least 1 is needed. Change per_device_batch_size.")
            : ((int)whole * GradientAccumulationSteps, null);
    }
}
