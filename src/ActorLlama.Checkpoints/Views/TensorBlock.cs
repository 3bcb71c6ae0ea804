using System.Collections.Immutable;

namespace ActorLlama.Checkpoints;

/// <summary>A rectangle of a tensor and the strided place in a file where its elements lie.</summary>
/// <param name="File">The file, which is mapped before anything is read through the block.</param>
/// <param name="Offset">Byte of the rectangle's first element in the file.</param>
/// <param name="Origin">Index of the rectangle's first element in the tensor.</param>
/// <param name="Shape">Extents of the rectangle.</param>
/// <param name="Strides">Distance in the file from one element to the next along each axis, in elements.</param>
internal sealed record TensorBlock(
    MappedFile File, long Offset, ImmutableArray<long> Origin, ImmutableArray<long> Shape, ImmutableArray<long> Strides)
{
    public long Elements => TensorView.CountOf(Shape);

    /// <summary>The part of the rectangle at [start, start + length) of its own extent along an axis; it stays where it was in the tensor.</summary>
    public TensorBlock Cut(int axis, long start, long length, int elementBytes) => this with
    {
        Offset = Offset + start * Strides[axis] * elementBytes,
        Origin = Origin.SetItem(axis, Origin[axis] + start),
        Shape = Shape.SetItem(axis, length),
    };

    public TensorBlock Shifted(int axis, long by) => this with { Origin = Origin.SetItem(axis, Origin[axis] + by) };
}
