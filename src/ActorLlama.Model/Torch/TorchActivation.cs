using static TorchSharp.torch;

namespace ActorLlama.Model;

/// <summary>Rows held by a tensor [T, D] that belongs to this object alone.</summary>
internal sealed class TorchActivation : Activation
{
    private readonly Tensor _values_TD;

    /// <summary>Takes the tensor over: it leaves any dispose scope and dies with this object.</summary>
    public TorchActivation(Tensor values_TD)
        : base((int)values_TD.shape[0], (int)values_TD.shape[1]) => _values_TD = values_TD.DetachFromDisposeScope();

    public static Tensor Of(Activation activation)
    {
        ObjectDisposedException.ThrowIf(activation.IsDisposed, activation);
        return activation is TorchActivation torch
            ? torch._values_TD
            : throw new ArgumentException($"Torch: an activation of another backend ({activation.GetType().Name}) came in.", nameof(activation));
    }

    protected override void Release() => _values_TD.Dispose();
}
