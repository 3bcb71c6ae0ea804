using System.Collections.Immutable;
using ActorLlama.Model;
using static ActorLlama.Checkpoints.Quoting;

namespace ActorLlama.Checkpoints;

/// <summary>
/// A tensor composed of rectangles of tensors that lie in files. Slicing, transposing, joining and reshaping move no byte: every layout of
/// weights is such a view of every other. <see cref="ViewReader"/> reads it.
/// </summary>
/// <param name="Name">The key in the file, for messages.</param>
/// <param name="Type">Element type.</param>
/// <param name="Shape">Sizes, outermost first.</param>
/// <param name="Blocks">Rectangles that cover the tensor without overlap.</param>
internal sealed record TensorView(string Name, ElementType Type, ImmutableArray<long> Shape, ImmutableArray<TensorBlock> Blocks)
{
    public long Elements => CountOf(Shape);

    public int ElementBytes => BytesOf(Type);

    public long Bytes => checked(Elements * ElementBytes);

    public static int BytesOf(ElementType type) => type == ElementType.Float32 ? 4 : 2;

    /// <summary>Elements of a shape. A size of zero makes it none, however large the others are.</summary>
    public static long CountOf(ImmutableArray<long> shape) => shape.Contains(0) ? 0 : shape.Aggregate(1L, (product, size) => checked(product * size));

    /// <summary>A tensor that lies row major in one piece.</summary>
    public static TensorView Of(string name, ElementType type, ImmutableArray<long> shape, MappedFile file, long offset) =>
        Strided(name, type, shape, RowMajor(shape), file, offset);

    /// <summary>A tensor whose elements lie in one file at these distances, in elements.</summary>
    public static TensorView Strided(
        string name, ElementType type, ImmutableArray<long> shape, ImmutableArray<long> strides, MappedFile file, long offset) =>
        new(name, type, shape, [new TensorBlock(file, offset, [.. shape.Select(_ => 0L)], shape, strides)]);

    /// <summary>Distances of a row-major tensor.</summary>
    public static ImmutableArray<long> RowMajor(ImmutableArray<long> shape)
    {
        var strides = new long[shape.Length];
        for (var (axis, stride) = (shape.Length - 1, 1L); axis >= 0; stride *= Math.Max(1, shape[axis]), axis--) strides[axis] = stride;
        return [.. strides];
    }

    /// <summary>Joins tensors of equal type along an axis; their other sizes are equal.</summary>
    public static TensorView Join(int axis, IReadOnlyList<TensorView> parts)
    {
        var first = parts[0];
        var blocks = ImmutableArray.CreateBuilder<TensorBlock>();
        var at = 0L;
        foreach (var part in parts)
        {
            if (part.Type != first.Type || !part.Shape.SetItem(axis, 0).SequenceEqual(first.Shape.SetItem(axis, 0)))
                throw new InvalidDataException(
                    $"Checkpoint: tensor {Quote(first.Name)} {Quote(first.Shape)} of {first.Type} and {Quote(part.Name)} {Quote(part.Shape)} "
                    + $"of {part.Type} do not join along axis {axis}. Use files of one checkpoint.");
            blocks.AddRange(part.Blocks.Select(block => block.Shifted(axis, at)));
            at += part.Shape[axis];
        }
        return first with { Shape = first.Shape.SetItem(axis, at), Blocks = blocks.ToImmutable() };
    }

    /// <summary>Stacks tensors of equal shape along a new first axis.</summary>
    public static TensorView Stack(IReadOnlyList<TensorView> parts) => Join(0, [.. parts.Select(part => part.WithAxis())]);

    /// <summary>Entries [start, start + length) along an axis.</summary>
    public TensorView Slice(int axis, long start, long length)
    {
        if (start < 0 || length < 0 || start + length > Shape[axis])
            throw new ArgumentOutOfRangeException(nameof(start), $"Tensor \"{Name}\" {Quote(Shape)} has no [{start},{start + length}) on axis {axis}.");
        var blocks = ImmutableArray.CreateBuilder<TensorBlock>();
        foreach (var block in Blocks)
        {
            var from = Math.Max(start, block.Origin[axis]);
            var to = Math.Min(start + length, block.Origin[axis] + block.Shape[axis]);
            if (from < to) blocks.Add(block.Cut(axis, from - block.Origin[axis], to - from, ElementBytes).Shifted(axis, -start));
        }
        return this with { Shape = Shape.SetItem(axis, length), Blocks = blocks.ToImmutable() };
    }

    /// <summary>Entry <paramref name="index"/> of the first axis, without it.</summary>
    public TensorView At(long index)
    {
        var slice = Slice(0, index, 1);
        return slice with
        {
            Shape = Shape.RemoveAt(0),
            Blocks = [.. slice.Blocks.Select(b => b with { Origin = b.Origin.RemoveAt(0), Shape = b.Shape.RemoveAt(0), Strides = b.Strides.RemoveAt(0) })],
        };
    }

    /// <summary>A matrix turned over its diagonal.</summary>
    public TensorView Transposed()
    {
        if (Shape.Length != 2) throw new InvalidOperationException($"Tensor \"{Name}\" {Quote(Shape)} is no matrix.");
        return this with { Shape = Turn(Shape), Blocks = [.. Blocks.Select(b => b with { Origin = Turn(b.Origin), Shape = Turn(b.Shape), Strides = Turn(b.Strides) })] };

        static ImmutableArray<long> Turn(ImmutableArray<long> pair) => [pair[1], pair[0]];
    }

    /// <summary>The first axis of size outer · inner as two axes.</summary>
    public TensorView SplitFirst(long outer)
    {
        if (Shape.Length == 0 || outer <= 0 || Shape[0] % outer != 0)
            throw new InvalidDataException($"Checkpoint: tensor {Quote(Name)} {Quote(Shape)} does not divide into {outer} along its first axis. Use files of one checkpoint.");
        var inner = Shape[0] / outer;
        var blocks = ImmutableArray.CreateBuilder<TensorBlock>();
        foreach (var block in Blocks)
            if (inner > 0 && block.Origin[0] % inner == 0 && block.Shape[0] % inner == 0) blocks.Add(Split(block, inner, inner));
            else
                for (long at = block.Origin[0], end = at + block.Shape[0]; at < end;)
                {
                    var length = Math.Min(end, (at / inner + 1) * inner) - at;
                    blocks.Add(Split(block.Cut(0, at - block.Origin[0], length, ElementBytes), inner, length));
                    at += length;
                }
        return this with { Shape = Shape.SetItem(0, inner).Insert(0, outer), Blocks = blocks.ToImmutable() };
    }

    /// <summary>The first two axes as one.</summary>
    public TensorView MergeFirst()
    {
        var inner = Shape[1];
        var blocks = ImmutableArray.CreateBuilder<TensorBlock>();
        foreach (var block in Blocks)
            if (block.Shape[0] == 1 || (block.Shape[1] == inner && block.Strides[0] == block.Strides[1] * inner)) blocks.Add(Merge(block, inner));
            else
                for (var i = 0L; i < block.Shape[0]; i++) blocks.Add(Merge(block.Cut(0, i, 1, ElementBytes), inner));
        return this with { Shape = Shape.RemoveAt(0).SetItem(0, Shape[0] * inner), Blocks = blocks.ToImmutable() };
    }

    private TensorView WithAxis() => this with
    {
        Shape = Shape.Insert(0, 1),
        Blocks = [.. Blocks.Select(b => b with { Origin = b.Origin.Insert(0, 0), Shape = b.Shape.Insert(0, 1), Strides = b.Strides.Insert(0, b.Elements) })],
    };

    private static TensorBlock Split(TensorBlock block, long inner, long length) => block with
    {
        Origin = block.Origin.SetItem(0, block.Origin[0] % inner).Insert(0, block.Origin[0] / inner),
        Shape = block.Shape.SetItem(0, length).Insert(0, block.Shape[0] / length),
        Strides = block.Strides.Insert(0, block.Strides[0] * inner),
    };

    private static TensorBlock Merge(TensorBlock block, long inner) => block with
    {
        Origin = block.Origin.RemoveAt(0).SetItem(0, block.Origin[0] * inner + block.Origin[1]),
        Shape = block.Shape.RemoveAt(0).SetItem(0, block.Shape[0] * block.Shape[1]),
        Strides = block.Strides.RemoveAt(0),
    };
}
