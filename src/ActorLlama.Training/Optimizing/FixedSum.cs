using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using static TorchSharp.torch;

namespace ActorLlama.Training;

/// <summary>Sums in an order that depends on nothing but the number of elements: not on threads, nor on how a tensor is spread.</summary>
internal static class FixedSum
{
    private const long PieceElements = 1 << 20;

    /// <summary>A flat tensor's elements for sums over many parts of it. Float32 in the processor's memory is read where it is, all else piece by piece.</summary>
    public readonly ref struct Values(Tensor flat)
    {
        private readonly Tensor _flat = flat;
        private readonly ReadOnlySpan<float> _plain = flat.dtype == ScalarType.Float32 && flat.device_type == TorchSharp.DeviceType.CPU && flat.NumberOfElements <= int.MaxValue / sizeof(float)
            ? MemoryMarshal.Cast<byte, float>(flat.bytes)
            : [];

        /// <summary>Sum of squares of elements [start, start + count), in double. Not finite exactly when an element is not.</summary>
        public double OfSquares(long start, long count)
        {
            var sum = 0.0;
            for (long at = 0; at < count; at += PieceElements)
            {
                var piece = Math.Min(PieceElements, count - at);
                sum += _plain.IsEmpty ? Copied(start + at, piece) : FixedSum.OfSquares(_plain.Slice((int)(start + at), (int)piece));
            }
            return sum;
        }

        private double Copied(long start, long count)
        {
            using var scope = NewDisposeScope();
            return FixedSum.OfSquares(MemoryMarshal.Cast<byte, float>(_flat.narrow(0, start, count).to(ScalarType.Float32).cpu().bytes));
        }
    }

    /// <summary>Sixteen lanes, added up from the lowest, then what is left over.</summary>
    public static double OfSquares(ReadOnlySpan<float> values)
    {
        var (low, high) = (Vector512<double>.Zero, Vector512<double>.Zero);
        var at = 0;
        for (; at <= values.Length - Vector512<float>.Count; at += Vector512<float>.Count)
        {
            var (first, second) = Vector512.Widen(Vector512.Create(values.Slice(at, Vector512<float>.Count)));
            (low, high) = (low + first * first, high + second * second);
        }
        var sum = 0.0;
        for (var lane = 0; lane < Vector512<double>.Count; lane++) sum += low[lane];
        for (var lane = 0; lane < Vector512<double>.Count; lane++) sum += high[lane];
        for (; at < values.Length; at++) sum += (double)values[at] * values[at];
        return sum;
    }
}
