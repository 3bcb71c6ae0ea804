using System.Collections.Immutable;
using ActorLlama.Model;
using ActorLlama.Planning.Training;
using ActorLlama.Protocol;
using static TorchSharp.torch;

namespace ActorLlama.Training;

/// <summary>
/// What each device of a plan owns of a segment's parameters, and how that lies in a payload: parameters in canonical order, the ranges of each ascending, one behind the other.
/// </summary>
internal sealed class SegmentRanges(LlamaConfig config, TrainingPlan plan)
{
    private readonly ImmutableArray<ImmutableArray<Parameter>> _segments = TrunkSegments.Of(config);

    /// <summary>Indices of the devices that own pieces.</summary>
    public ImmutableArray<int> Owners { get; } = [.. plan.Pieces.Distinct().Order()];

    public ImmutableArray<Parameter> Parameters(int segment) => _segments[segment];

    /// <summary>Values of a device's payload of that segment.</summary>
    public long ElementsOf(int device, int segment) => Parameters(segment).Sum(parameter => RangesOf(device, parameter).Sum(range => range.End - range.Start));

    /// <summary>A device's part of the segment's gradients, float32, flat; the caller's.</summary>
    public Tensor Take(int device, int segment, SegmentGradients gradients)
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        var byName = gradients.Parameters.ToDictionary(of => of.Name, of => of.Gradient);
        var parts = Parameters(segment).SelectMany(parameter =>
        {
            var flat = byName[parameter.Name].reshape(-1);
            return RangesOf(device, parameter).Select(range => flat.narrow(0, range.Start, range.End - range.Start).to(ScalarType.Float32));
        }).ToList();
        return (parts.Count == 0 ? empty(0, ScalarType.Float32) : cat(parts)).DetachFromDisposeScope();
    }

    /// <summary>The whole parameters of a segment out of the owners' payloads, in the order of <see cref="Owners"/>. The caller's.</summary>
    public Dictionary<string, Tensor> Join(int segment, IReadOnlyList<Tensor> parts)
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        var wholes = new Dictionary<string, Tensor>();
        var at = new long[parts.Count];
        foreach (var parameter in Parameters(segment))
        {
            var whole = parts.Count == 1 ? parts[0].narrow(0, at[0], parameter.Elements) : empty(parameter.Elements, parts[0].dtype, parts[0].device);
            for (var i = 0; i < parts.Count; i++)
                foreach (var (start, end) in RangesOf(Owners[i], parameter))
                {
                    if (parts.Count > 1) whole.narrow(0, start, end - start).copy_(parts[i].narrow(0, at[i], end - start));
                    at[i] += end - start;
                }
            wholes.Add(parameter.Name, whole.DetachFromDisposeScope());
        }
        return wholes;
    }

    private ImmutableArray<(long Start, long End)> RangesOf(int device, Parameter parameter) => TrunkPieces.RangesOf(plan, plan.Devices[device], parameter.Elements);
}
