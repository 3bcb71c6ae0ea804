using ActorLlama.Model;
using static TorchSharp.torch;

namespace ActorLlama.Training;

/// <summary>
/// What an owner holds of one parameter: flat elements with AdamW's moments, all in the weight type, and the sum of the step's gradients, float32. Owns its tensors.
/// </summary>
internal sealed class OwnedRange : IDisposable
{
    private const long PieceElements = 1 << 22;

    private Tensor? _head;

    /// <param name="range">Which elements.</param>
    /// <param name="type">Type of weights and moments.</param>
    /// <param name="device">Where.</param>
    /// <param name="weights">The whole parameter's elements.</param>
    /// <param name="moments">Those of mean and variance; null: zeros.</param>
    public OwnedRange(ParameterRange range, ScalarType type, Device device, TensorData weights, (TensorData Mean, TensorData Variance)? moments)
    {
        Range = range;
        Weight = Read(weights, range, type, device);
        Mean = moments is { } mean ? Read(mean.Mean, range, type, device) : zeros(range.Elements, type, device).DetachFromDisposeScope();
        Variance = moments is { } variance ? Read(variance.Variance, range, type, device) : zeros(range.Elements, type, device).DetachFromDisposeScope();
        Gradient = zeros(range.Elements, ScalarType.Float32, device).DetachFromDisposeScope();
    }

    public ParameterRange Range { get; }

    public Tensor Weight { get; }

    public Tensor Mean { get; }

    public Tensor Variance { get; }

    /// <summary>The sum over slots, once <see cref="Join"/> was called.</summary>
    public Tensor Gradient { get; }

    public long Bytes => Range.Elements * (3 * Weight.ElementSize + Gradient.ElementSize);

    /// <summary>
    /// Where a slot's gradient is added. An embedding that the head has, too, gets two of each slot, and one slot's second may be there before another's first: so each is a sum of its own,
    /// in slot order.
    /// </summary>
    public Tensor SumOf(bool isHead) =>
        isHead && Range.Parameter.Group == ParameterGroup.Embedding ? _head ??= zeros_like(Gradient).DetachFromDisposeScope() : Gradient;

    /// <summary>All slots' gradients are added.</summary>
    public void Join()
    {
        if (_head is not { } head) return;
        Gradient.PlusInPlace(head);
        head.Dispose();
        _head = null;
    }

    public void ClearGradient()
    {
        Gradient.zero_().Dispose();
        _head?.Dispose();
        _head = null;
    }

    public void Dispose()
    {
        _head?.Dispose();
        Weight.Dispose();
        Mean.Dispose();
        Variance.Dispose();
        Gradient.Dispose();
    }

    private static Tensor Read(TensorData from, ParameterRange range, ScalarType type, Device device)
    {
        if (!from.Shape.AsSpan().SequenceEqual(range.Parameter.Shape.AsSpan()))
            throw new InvalidDataException(
                $"Training: tensor \"{from.Name}\" has shape [{string.Join(',', from.Shape)}], but the model wants [{string.Join(',', range.Parameter.Shape)}]. "
                + "Use the checkpoint that belongs to the model.");
        var tensor = empty(range.Elements, type, device).DetachFromDisposeScope();
        var stored = TorchTensors.TypeOf(from.Type);
        for (long at = 0; at < range.Elements; at += PieceElements)
        {
            using var scope = NewDisposeScope();
            var piece = empty(Math.Min(PieceElements, range.Elements - at), stored);
            from.Read((range.Start + at) * from.ElementBytes, piece.bytes);
            tensor.narrow(0, at, piece.NumberOfElements).copy_(piece);
        }
        return tensor;
    }
}
