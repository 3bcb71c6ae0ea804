using System.Buffers;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using ActorLlama.Kernels;
using ActorLlama.Model;

namespace ActorLlama.Checkpoints;

/// <summary>Reads the elements of a view, row major, from any thread; single elements through the mapping where the file is mapped. A disk that fails is an <see cref="IOException"/>.</summary>
internal sealed unsafe class ViewReader
{
    private readonly TensorView _view;
    private readonly Plan[] _plans;

    public ViewReader(TensorView view)
    {
        _view = view;
        var strides = TensorView.RowMajor(view.Shape);
        _plans = [.. view.Blocks.Where(block => block.Elements > 0).Select(block => Plan.Of(block, strides)).OrderBy(plan => plan.First)];
    }

    /// <summary>
    /// The address of the tensor in its mapped file when it lies there row major, in one piece and at a multiple of its element; null otherwise.
    /// </summary>
    public static nint? InPlace(TensorView view)
    {
        if (view.Blocks is not [var block] || block.Offset % view.ElementBytes != 0 || block.Elements != view.Elements) return null;
        var strides = TensorView.RowMajor(view.Shape);
        for (var axis = 0; axis < view.Shape.Length; axis++)
            if (view.Shape[axis] > 1 && block.Strides[axis] != strides[axis]) return null;
        return checked((nint)(block.File.Address + block.Offset));
    }

    /// <summary>
    /// Address and row distance (in elements) of a matrix in its mapped file, when each row lies there in one piece at a multiple of its element; null otherwise.
    /// </summary>
    public static (nint Address, long Stride)? RowsInPlace(TensorView view) =>
        view.Blocks is [var block] && block.Elements == view.Elements && block.Offset % view.ElementBytes == 0 && (block.Strides[1] == 1 || block.Shape[1] == 1)
            ? (checked((nint)(block.File.Address + block.Offset)), block.Strides[0])
            : null;

    /// <summary>Fills <paramref name="bytes"/> with whole elements from byte <paramref name="offset"/> of the row-major tensor on.</summary>
    public void Read(long offset, Span<byte> bytes)
    {
        var size = _view.ElementBytes;
        var (first, end) = (offset / size, (offset + bytes.Length) / size);
        foreach (var plan in _plans)
        {
            if (plan.First >= end) break;
            if (plan.Last < first) continue;
            Copy(plan, 0, plan.First, plan.Block.Offset, first, end, bytes);
        }
    }

    /// <summary>As <see cref="Read"/>, with elements of another type: widened exactly, or rounded to nearest, ties to even.</summary>
    public void ReadAs(ElementType type, long offset, Span<byte> bytes)
    {
        if (type == _view.Type)
        {
            Read(offset, bytes);
            return;
        }
        var length = bytes.Length / TensorView.BytesOf(type) * _view.ElementBytes;
        var rented = ArrayPool<byte>.Shared.Rent(length);
        try
        {
            var own = rented.AsSpan(0, length);
            Read(offset / TensorView.BytesOf(type) * _view.ElementBytes, own);
            if (type == ElementType.Float32) Widen(MemoryMarshal.Cast<byte, ushort>(own), MemoryMarshal.Cast<byte, uint>(bytes));
            else Round(MemoryMarshal.Cast<byte, uint>(own), MemoryMarshal.Cast<byte, ushort>(bytes));
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(rented);
        }
    }

    private static void Widen(ReadOnlySpan<ushort> from, Span<uint> to)
    {
        for (var i = 0; i < from.Length; i++) to[i] = (uint)from[i] << 16;
    }

    private static void Round(ReadOnlySpan<uint> from, Span<ushort> to)
    {
        for (var i = 0; i < from.Length; i++) to[i] = Round(from[i]);
    }

    private static ushort Round(uint bits) => float.IsNaN(BitConverter.UInt32BitsToSingle(bits))
        ? (ushort)((bits >> 16) | 0x40)
        : (ushort)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);

    private void Copy(Plan plan, int axis, long destination, long source, long first, long end, Span<byte> bytes)
    {
        var size = _view.ElementBytes;
        if (axis == plan.Axes.Length)
        {
            if (destination >= first && destination < end)
                plan.Block.File.Read(source, bytes.Slice((int)(destination - first) * size, size));
            return;
        }
        var (count, step, stride) = plan.Axes[axis];
        // Entries whose span [destination + i·step, … + inner] meets [first, end).
        var inner = plan.InnerSpan[axis];
        var from = destination + inner >= first ? 0 : (first - destination - inner + step - 1) / step;
        var to = Math.Min(count, end <= destination ? 0 : (end - destination + step - 1) / step);
        if (axis == plan.Axes.Length - 1 && step == 1)
        {
            if (from >= to) return;
            var target = bytes.Slice((int)(destination + from - first) * size, (int)(to - from) * size);
            if (stride == 1) plan.Block.File.Read(source + from * size, target);
            else Gather(plan, source + from * stride * size, stride * size, target);
            return;
        }
        for (var i = from; i < to; i++) Copy(plan, axis + 1, destination + i * step, source + i * stride * size, first, end, bytes);
    }

    private void Gather(Plan plan, long source, long strideBytes, Span<byte> target)
    {
        var (file, size) = (plan.Block.File, _view.ElementBytes);
        if (file.Address == 0)
        {
            for (var i = 0; i < target.Length / size; i++) file.Read(source + i * strideBytes, target.Slice(i * size, size));
            return;
        }
        plan.BringIn(size);
        var from = (byte*)(file.Address + source);
        if (size == 2)
        {
            var to = MemoryMarshal.Cast<byte, ushort>(target);
            for (var i = 0; i < to.Length; i++) to[i] = Unsafe.ReadUnaligned<ushort>(from + i * strideBytes);
        }
        else
        {
            var to = MemoryMarshal.Cast<byte, uint>(target);
            for (var i = 0; i < to.Length; i++) to[i] = Unsafe.ReadUnaligned<uint>(from + i * strideBytes);
        }
    }

    /// <summary>A block with as few axes as possible; positions are elements of the row-major tensor.</summary>
    private sealed record Plan(TensorBlock Block, long First, long Last, (long Count, long Step, long Stride)[] Axes, long[] InnerSpan)
    {
        private volatile bool _isIn;

        /// <summary>Has the block's pages read in, once, before they are touched here and there.</summary>
        public void BringIn(int size)
        {
            if (_isIn) return;
            var last = Axes.Sum(axis => (axis.Count - 1) * axis.Stride);
            MappedPages.BringIn((nint)(Block.File.Address + Block.Offset), (last + 1) * size);
            _isIn = true;
        }

        public static Plan Of(TensorBlock block, IReadOnlyList<long> steps)
        {
            var axes = new List<(long Count, long Step, long Stride)>();
            var first = 0L;
            for (var axis = 0; axis < block.Shape.Length; axis++)
            {
                first += block.Origin[axis] * steps[axis];
                if (block.Shape[axis] == 1) continue;
                var next = (Count: block.Shape[axis], Step: steps[axis], Stride: block.Strides[axis]);
                if (axes.Count > 0 && axes[^1].Step == next.Step * next.Count && axes[^1].Stride == next.Stride * next.Count)
                    axes[^1] = (axes[^1].Count * next.Count, next.Step, next.Stride);
                else axes.Add(next);
            }
            var inner = new long[axes.Count];
            var span = 0L;
            for (var axis = axes.Count - 1; axis >= 0; axis--)
            {
                inner[axis] = span;
                span += (axes[axis].Count - 1) * axes[axis].Step;
            }
            return new Plan(block, first, first + span, [.. axes], inner);
        }
    }
}
