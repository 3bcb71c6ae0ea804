using static ActorLlama.Checkpoints.Quoting;

namespace ActorLlama.Checkpoints;

/// <summary>Compares checkpoints tensor by tensor, in whatever layouts they are.</summary>
public static class CheckpointComparison
{
    /// <summary>One result per tensor of either, in forward order, each as soon as it is known.</summary>
    /// <exception cref="InvalidDataException">One of them is broken.</exception>
    public static IEnumerable<TensorDifference> Of(string a, string b, CancellationToken cancellation = default)
    {
        using var left = CheckpointDirectory.Open(a);
        using var right = CheckpointDirectory.Open(b);
        var others = right.Tensors.ToDictionary(tensor => tensor.Name, tensor => tensor.View, StringComparer.Ordinal);
        foreach (var tensor in left.Tensors)
        {
            if (!others.Remove(tensor.Name, out var other)) yield return new(tensor.Name, $"missing from {Quote(b)}", 0, 0);
            else if (!other.Shape.SequenceEqual(tensor.View.Shape)) yield return new(tensor.Name, $"shapes {Quote(tensor.View.Shape)} and {Quote(other.Shape)}", 0, 0);
            else
            {
                var (largest, different) = WeightValues.Difference(tensor.View, other, cancellation);
                yield return new(tensor.Name, null, different, largest);
            }
        }
        foreach (var name in others.Keys.Order(StringComparer.Ordinal)) yield return new(name, $"missing from {Quote(a)}", 0, 0);
    }
}
