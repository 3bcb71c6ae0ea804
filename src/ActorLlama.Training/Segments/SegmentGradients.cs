using static TorchSharp.torch;

namespace ActorLlama.Training;

/// <summary>
/// What a segment's backward pass over one slot gives: the gradient of its input [S,D] (null for the embedding), and those of its parameters, of their shapes, in canonical
/// order. All are of the sum of the slot's losses, not of a mean.
/// </summary>
public sealed record SegmentGradients(Tensor? Input, IReadOnlyList<(string Name, Tensor Gradient)> Parameters) : IDisposable
{
    public void Dispose()
    {
        Input?.Dispose();
        foreach (var (_, gradient) in Parameters) gradient.Dispose();
    }
}
