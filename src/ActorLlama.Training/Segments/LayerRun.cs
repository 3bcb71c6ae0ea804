using ActorLlama.Model;
using TorchSharp;
using static TorchSharp.torch;

namespace ActorLlama.Training;

/// <summary>
/// One layer over one slot, cut where rows go to the experts: start it, have the experts run over <see cref="Rows"/>, and take <see cref="Output"/>. Going back, have the
/// experts turn the output's gradient into that of <see cref="Rows"/>, and take <see cref="Backward"/>: what the experts had answered is not needed again. Tensors that come in
/// stay the caller's, those that go out become the caller's.
/// </summary>
public sealed class LayerRun : IDisposable
{
    private readonly TrunkSegment _segment;
    private readonly Tensor _x_SD;
    private readonly Activation _h;
    private readonly Activation? _shared;
    private readonly MoeInput? _input;
    private readonly Tensor? _balance;

    internal LayerRun(TrunkSegment segment, Tensor x_SD, RowBatch rows, bool keepsGraph, double loadBalanceWeight)
    {
        using var scope = NewDisposeScope();
        using var mode = enable_grad(keepsGraph);
        var (stage, layer) = (segment.Stage ?? throw new InvalidOperationException($"Training: segment {segment.Number} is no layer."), segment.Number - 1);
        _segment = segment;
        _x_SD = x_SD.detach().requires_grad_(keepsGraph).DetachFromDisposeScope();
        using var x = TorchTensors.Rows(_x_SD.alias());
        if (!segment.Config.IsMoe[layer])
        {
            using var attended = stage.Attend(layer, x, rows);
            _h = stage.DenseFfn(layer, attended);
            return;
        }
        _h = stage.Attend(layer, x, rows);
        _input = stage.Route(layer, _h);
        _shared = stage.Shared(layer, _input);
        if (loadBalanceWeight > 0) _balance = LoadBalance(loadBalanceWeight).DetachFromDisposeScope();
    }

    /// <summary>Each row's expert; null for a dense layer, which needs none.</summary>
    public ReadOnlyMemory<int>? Experts => _input is { } input ? new ReadOnlyMemory<int>(input.Routing.Experts) : default(ReadOnlyMemory<int>?);

    /// <summary>The rows for the experts [S,D], already scaled; they stay this run's.</summary>
    public Tensor Rows => TorchTensors.Of(_input?.Routing.Scaled ?? throw new InvalidOperationException("Training: a dense layer has no rows for experts."));

    /// <summary>The layer's load-balance loss for this slot, weighted (spec 6.6); 0 without.</summary>
    public double Balance => _balance?.item<float>() ?? 0;

    /// <summary>The layer's output [S,D]; <paramref name="routed_SD"/>: what the experts made of the rows, null for a dense layer.</summary>
    public Tensor Output(Tensor? routed_SD)
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        if (_shared is null) return TorchTensors.Of(_h).detach().DetachFromDisposeScope();
        using var routed = TorchTensors.Rows((routed_SD ?? throw new ArgumentNullException(nameof(routed_SD))).alias());
        using var output = _segment.Stage!.Combine(_h, _shared, routed);
        return TorchTensors.Of(output).detach().DetachFromDisposeScope();
    }

    /// <summary>
    /// Gradients of the layer's input and parameters. The output is the sum of what attention, shared and routed experts gave, so its gradient is that of each.
    /// </summary>
    /// <param name="output_SD">Gradient of the output.</param>
    /// <param name="rows_SD">Gradient of <see cref="Rows"/>; null for a dense layer.</param>
    /// <param name="balanceScale">What the load-balance loss counts in the sum of the slot's losses.</param>
    public SegmentGradients Backward(Tensor output_SD, Tensor? rows_SD, double balanceScale)
    {
        using var scope = NewDisposeScope();
        if (_shared is null) return _segment.Gradients([TorchTensors.Of(_h)], [output_SD], _x_SD);
        List<Tensor> outputs = [TorchTensors.Of(_h), TorchTensors.Of(_shared), Rows];
        List<Tensor> gradients = [output_SD, output_SD, rows_SD ?? throw new ArgumentNullException(nameof(rows_SD))];
        if (_balance is not null)
        {
            using Scalar scale = balanceScale;
            outputs.Add(_balance);
            gradients.Add(full([], scale, ScalarType.Float32, _balance.device));
        }
        return _segment.Gradients(outputs, gradients, _x_SD);
    }

    public void Dispose()
    {
        _balance?.Dispose();
        _shared?.Dispose();
        _input?.Dispose();
        _h.Dispose();
        _x_SD.Dispose();
    }

    /// <summary>mean over experts of f·p, times E² and the weight: f the share of rows that chose the expert, p the mean of its softmax. Differentiable through p.</summary>
    private Tensor LoadBalance(double weight)
    {
        var (experts, rows) = (_segment.Config.Experts, _input!.Normed.Rows);
        using var logits = _segment.Backend.Linear(_input.Normed, _segment.WeightOf(ParameterNames.Router(_segment.Number - 1)));
        var z_SE = TorchTensors.Of(logits);
        var p_E = z_SE.to(ScalarType.Float32).softmax(1).to(z_SE.dtype).to(ScalarType.Float32).mean([0]);
        var shares = new float[experts];
        foreach (var expert in _input.Routing.Experts) shares[expert] += 1f / rows;
        using Scalar scale = weight * experts * experts;
        return (p_E * tensor(shares, ScalarType.Float32, z_SE.device)).mean().mul(scale);
    }
}
