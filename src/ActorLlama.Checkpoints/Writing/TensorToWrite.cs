using System.Collections.Immutable;
using ActorLlama.Model;

namespace ActorLlama.Checkpoints;

/// <summary>
/// Produces a tensor's bytes from byte <paramref name="offset"/> of it on, little-endian, row major. Called from several threads at
/// once, each for another range, in no order.
/// </summary>
public delegate void TensorFill(long offset, Span<byte> bytes);

/// <summary>A tensor that a <see cref="SafetensorsWriter"/> writes without ever holding it whole.</summary>
/// <param name="Name">Its key.</param>
/// <param name="Type">Element type as the format spells it: <c>BF16</c>, <c>F32</c>, <c>I64</c>, …</param>
/// <param name="Shape">Sizes, outermost first.</param>
/// <param name="Fill">Where its bytes come from.</param>
public sealed record TensorToWrite(string Name, string Type, ImmutableArray<long> Shape, TensorFill Fill)
{
    internal int ElementBits { get; } = SafetensorsType.TryGetBits(Type, out var bits)
        ? bits
        : throw new ArgumentException($"Checkpoint: tensor \"{Name}\" has dtype \"{Type}\", which the format does not know.", nameof(Type));

    /// <summary>A view under another name, rounded or widened to a type as it is written.</summary>
    internal static TensorToWrite Of(string name, TensorView view, ElementType type)
    {
        var reader = new ViewReader(view);
        return new(name, SafetensorsType.Of(type), view.Shape, (offset, bytes) => reader.ReadAs(type, offset, bytes));
    }

    /// <summary>Its length in the file.</summary>
    public long Bytes => SafetensorsType.BytesOf(TensorView.CountOf(Shape), ElementBits)
        ?? throw new InvalidOperationException($"Checkpoint: tensor \"{Name}\" of dtype {Type} takes no whole number of bytes.");
}
