using System.Collections.Immutable;
using System.Runtime.InteropServices;
using ActorLlama.Model;
using TorchSharp;
using static TorchSharp.torch;

namespace ActorLlama.Training;

/// <summary>
/// One segment of the trunk with its parameters gathered on one device, in the compute type: the steps of a forward and a backward pass over one slot at a time. The model's
/// own steps compute (<see cref="TrunkStage"/>). Tensors that come in stay the caller's, those that go out become the caller's. For the device's thread.
/// </summary>
public sealed class TrunkSegment : IDisposable
{
    private readonly ImmutableArray<Parameter> _parameters;
    private readonly Dictionary<string, Tensor> _leaves = [];
    private readonly Dictionary<string, Weight> _weights = [];

    /// <param name="backend">The device; it outlives the segment.</param>
    /// <param name="config">The model.</param>
    /// <param name="segment">Number of the segment (<see cref="TrunkSegments"/>).</param>
    /// <param name="parameters">The segment's parameters in canonical order (<see cref="TrunkSegments.Of"/>).</param>
    /// <param name="gathered">Each one's elements, by name, in any shape and float type; they stay the caller's, unchanged until the segment is disposed.</param>
    public TrunkSegment(TorchBackend backend, LlamaConfig config, int segment, ImmutableArray<Parameter> parameters, Func<string, Tensor> gathered)
    {
        (Backend, Config, Number, _parameters) = (backend, config, segment, parameters);
        var type = TorchTensors.TypeOf(backend.Activations);
        foreach (var parameter in parameters)
        {
            using var scope = NewDisposeScope();
            var leaf = gathered(parameter.Name).detach().view([.. parameter.Shape]).to(type).detach().requires_grad_(true);
            _leaves.Add(parameter.Name, leaf);
            _weights.Add(parameter.Name, TorchTensors.Weight(leaf));
        }
        if (segment > 0 && segment < TrunkSegments.Head(config)) Stage = TrunkStage.OfLayer(backend, config, segment - 1, name => _weights[name]);
    }

    public int Number { get; }

    internal TorchBackend Backend { get; }

    internal LlamaConfig Config { get; }

    internal TrunkStage? Stage { get; }

    internal Weight WeightOf(string name) => _weights[name];

    /// <summary>The parameters as leaves of the graph, in canonical order.</summary>
    internal IEnumerable<Tensor> Leaves => _parameters.Select(parameter => _leaves[parameter.Name]);

    /// <summary>Rows of the embedding [S,D] (segment 0).</summary>
    public Tensor Embed(TrainingSlot slot)
    {
        using var noGrad = no_grad();
        using var rows = Backend.Embed(_weights[ParameterNames.Embed], slot.Inputs.AsSpan());
        return TorchTensors.Of(rows).detach().DetachFromDisposeScope();
    }

    /// <summary>The embedding's gradient, float32 [V,D], from that of its rows [S,D]: a token's rows are added in the order of their positions.</summary>
    public static SegmentGradients EmbedBackward(LlamaConfig config, TrainingSlot slot, Tensor gradient_SD)
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        var ids = tensor(slot.Inputs.Select(id => (long)id).ToArray(), ScalarType.Int64, gradient_SD.device);
        var table_VD = zeros([config.VocabSize, config.HiddenSize], ScalarType.Float32, gradient_SD.device);
        using Scalar one = 1.0;
        table_VD.index_add_(0, ids, gradient_SD.to(ScalarType.Float32), one);
        return new SegmentGradients(null, [(ParameterNames.Embed, table_VD.DetachFromDisposeScope())]);
    }

    /// <summary>Starts a layer over rows [S,D]; <paramref name="keepsGraph"/>: so that it can be gone through backward.</summary>
    public LayerRun Run(Tensor x_SD, TrainingSlot slot, bool keepsGraph, double loadBalanceWeight) => new(this, x_SD, slot.Rows, keepsGraph, loadBalanceWeight);

    /// <summary>
    /// The losses of rows [S,D] that have passed all layers, and, when asked for, the gradients of their sum (spec 7.2): with p the softmax and z the log of its
    /// denominator, p·(1 + 2wz) less 1 at the target.
    /// </summary>
    public (SlotLoss Loss, SegmentGradients? Gradients) Head(Tensor x_SD, TrainingSlot slot, double zLossWeight, bool withGradients)
    {
        using var scope = NewDisposeScope();
        using var mode = enable_grad(withGradients);
        var x = x_SD.detach().requires_grad_(withGradients);
        using var rows = TorchTensors.Rows(x.alias());
        using var logits = Backend.Logits(rows, _weights[ParameterNames.FinalNorm], _weights[Config.TieEmbeddings ? ParameterNames.Embed : ParameterNames.LmHead]);
        var (loss, gradient_SV) = Loss(TorchTensors.Of(logits).detach(), slot, zLossWeight, withGradients);
        return (loss, gradient_SV is null ? null : Gradients([TorchTensors.Of(logits)], [gradient_SV], x));
    }

    public void Dispose()
    {
        Stage?.Dispose();
        foreach (var weight in _weights.Values) weight.Dispose();
    }

    /// <summary>Gradients of the input and the parameters, given those of what came of them.</summary>
    internal SegmentGradients Gradients(IList<Tensor> outputs, IList<Tensor> gradients, Tensor input)
    {
        using var scope = NewDisposeScope();
        var found = autograd.grad(outputs, [input, .. Leaves], gradients);
        return new SegmentGradients(
            found[0].DetachFromDisposeScope(), [.. _parameters.Select((parameter, i) => (parameter.Name, found[i + 1].DetachFromDisposeScope()))]);
    }

    private static (SlotLoss Loss, Tensor? Gradient_SV) Loss(Tensor logits_SV, TrainingSlot slot, double zLossWeight, bool withGradients)
    {
        using var noGrad = no_grad();
        var device = logits_SV.device;
        var target_S1 = tensor(slot.Targets.Select((id, i) => slot.Counts[i] ? (long)id : 0).ToArray(), ScalarType.Int64, device).unsqueeze(1);
        var z_S1 = logits_SV.logsumexp(1, keepdim: true);
        var loss = Sum(Floats(z_S1), Floats(logits_SV.gather(1, target_S1)), slot.Counts.AsSpan(), zLossWeight);
        if (!withGradients) return (loss, null);
        using Scalar one = 1.0, slope = 2 * zLossWeight;
        var counts_S1 = tensor(slot.Counts.Select(counts => counts ? 1f : 0).ToArray(), ScalarType.Float32, device).unsqueeze(1);
        var gradient_SV = (logits_SV - z_S1).exp_();
        gradient_SV.mul_(zLossWeight == 0 ? counts_S1 : z_S1.mul(slope).PlusInPlace(one).mul_(counts_S1));
        return (loss, gradient_SV.scatter_add_(1, target_S1, counts_S1.neg()));
    }

    private static SlotLoss Sum(ReadOnlySpan<float> z, ReadOnlySpan<float> atTarget, ReadOnlySpan<bool> counts, double zLossWeight)
    {
        var (cross, squares, tokens) = (0.0, 0.0, 0);
        for (var i = 0; i < counts.Length; i++)
        {
            if (!counts[i]) continue;
            cross += z[i] - atTarget[i];
            squares += zLossWeight * z[i] * z[i];
            tokens++;
        }
        return new SlotLoss(cross, squares, tokens);
    }

    private static Span<float> Floats(Tensor x) => MemoryMarshal.Cast<byte, float>(x.cpu().contiguous().bytes);
}
