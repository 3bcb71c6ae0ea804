using ActorLlama.Planning.Placement;
using ActorLlama.Protocol;

namespace ActorLlama.Planning.Training;

/// <summary>
/// What a device of a training plan holds, in bytes. State is ZeRO-3's: of n devices each has 1/n of the trunk's weights, gradients and two moments, (w + g + 2m) bytes an
/// element, and all of that for its experts. <paramref name="Gathered"/>: the largest segment of the trunk, whole, with its gradient, while it is computed with.
/// <paramref name="Activations"/>: one slot at a time with <c>remat_policy=full</c>: each layer's input, and the logits with their gradient.
/// </summary>
public sealed record TrainingBytes(DeviceId Device, long Weights, long Gradients, long Moments, long Gathered, long Activations)
{
    /// <summary>Kept from step to step, with the gradients.</summary>
    public long State => Weights + Gradients + Moments;

    public long Total => State + Gathered + Activations;

    /// <summary>Bytes of that device under that plan.</summary>
    public static TrainingBytes Of(TrainedShape shape, TrainingPlan plan, TrainingPlanOptions options, DeviceId device)
    {
        var pieces = plan.PiecesOf(device).ToList();
        var trunk = shape.Trunk.CountBy(parameter => parameter.Elements)
            .Sum(size => size.Value * pieces.Sum(piece => TrunkPieces.ElementsOf(piece, plan.Pieces.Length, size.Key)));
        var experts = plan.ExpertShardsOf(device).Sum(shard => ExpertShardRange.Of(shard, plan.ExpertShards.Length, shape.Experts).Count * shape.ExpertElements);
        var state = trunk + experts;
        var computes = plan.SlotsOf(device).Any();
        var segment = computes ? shape.Trunk.GroupBy(parameter => parameter.Segment).Max(group => group.Sum(parameter => parameter.Elements)) : 0;
        var inputs = (long)options.MaxTargetLength * shape.Model.HiddenSize * (shape.Model.Layers.Length + 1) * options.ComputeBytes;
        var logits = (long)options.MaxTargetLength * shape.Model.VocabSize * sizeof(float) * 2;
        return new TrainingBytes(
            device, state * options.WeightBytes, state * options.GradientBytes, state * 2 * options.MomentBytes,
            segment * (options.ComputeBytes + options.GradientBytes), computes ? inputs + logits : 0);
    }
}
