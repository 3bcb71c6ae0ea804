using ActorLlama.Model;
using static TorchSharp.torch;

namespace ActorLlama.Training;

/// <summary>
/// Routed experts [First, First + Count) of every MoE layer with their gradients and optimizer state: runs rows through them and back. For its device's thread. Rows come slot by
/// slot, in slot order when going back.
/// </summary>
public sealed class ExpertOwner : IDisposable
{
    private readonly TorchBackend _backend;
    private readonly Dictionary<int, Weight> _inUse = [];
    private readonly LlamaConfig _config;

    /// <param name="backend">The device; it outlives the owner.</param>
    /// <param name="config">The model.</param>
    /// <param name="first">First expert.</param>
    /// <param name="count">How many.</param>
    /// <param name="parameters">Their ranges (<see cref="NormChunks.ExpertsOf"/>); the owner disposes them.</param>
    public ExpertOwner(TorchBackend backend, LlamaConfig config, int first, int count, ParameterShard parameters) =>
        (_backend, _config, First, Count, Parameters) = (backend, config, first, count, parameters);

    public int First { get; }

    public int Count { get; }

    public ParameterShard Parameters { get; }

    /// <summary>Row i through expert experts[i] (absolute): [T,D] to [T,D], which is the caller's.</summary>
    public Tensor Run(int layer, Tensor rows_TD, ReadOnlySpan<int> experts)
    {
        using var noGrad = no_grad();
        using var rows = TorchTensors.Rows(rows_TD.detach());
        using var output = _backend.ExpertFfn(rows, experts, Weights(layer));
        return TorchTensors.Of(output).alias().DetachFromDisposeScope();
    }

    /// <summary>The gradient of those rows from that of their outputs; the experts' own are added to their sums.</summary>
    public Tensor Backward(int layer, Tensor rows_TD, ReadOnlySpan<int> experts, Tensor gradient_TD)
    {
        using var scope = NewDisposeScope();
        using var rows = TorchTensors.Rows(rows_TD.detach());
        using var gradient = TorchTensors.Rows(gradient_TD.detach());
        using var back = _backend.ExpertFfnBackward(
            rows, experts, Weights(layer), gradient,
            Shaped(Parameters.Own(ParameterNames.ExpertsGateUp(layer)).Gradient, isGateUp: true),
            Shaped(Parameters.Own(ParameterNames.ExpertsDown(layer)).Gradient, isGateUp: false));
        return TorchTensors.Of(back).alias().DetachFromDisposeScope();
    }

    /// <summary>Must be called when the weights have changed: copies in the compute type are made anew.</summary>
    public void Refresh()
    {
        foreach (var weight in _inUse.Values) weight.Dispose();
        _inUse.Clear();
    }

    public void Dispose()
    {
        Refresh();
        Parameters.Dispose();
    }

    private Weight Weights(int layer)
    {
        if (_inUse.TryGetValue(layer, out var weight)) return weight;
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        var type = TorchTensors.TypeOf(_backend.Activations);
        return _inUse[layer] = TorchTensors.Experts(
            Shaped(Parameters.Own(ParameterNames.ExpertsGateUp(layer)).Weight, isGateUp: true).to(type),
            Shaped(Parameters.Own(ParameterNames.ExpertsDown(layer)).Weight, isGateUp: false).to(type),
            First);
    }

    private Tensor Shaped(Tensor flat, bool isGateUp) =>
        isGateUp ? flat.view(Count, _config.HiddenSize, 2 * _config.ExpertHidden) : flat.view(Count, _config.ExpertHidden, _config.HiddenSize);
}
