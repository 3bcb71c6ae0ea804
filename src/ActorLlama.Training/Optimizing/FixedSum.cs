using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using static TorchSharp.torch;

namespace ActorLlama.Training;

/// <summary>Sums in an order that depends on nothing but the number of elements: not on threads, nor on how a tensor is spread.</summary>
internal static class FixedSum
{
    private const long PieceElements = 1 << 20;

    /// <summary>Sum of squares of elements [start, start + count) of a flat tensor, in double. Not finite exactly when an element is not.</summary>
    public static double OfSquares(Tensor flat, long start, long count)
    {
        var sum = 0.0;
        for (long at = 0; at < count; at += PieceElements)
        {
            using var scope = NewDisposeScope();
            var piece = flat.narrow(0, start + at, Math.Min(PieceElements, count - at)).to(ScalarType.Float32).cpu();
            sum += OfSquares(MemoryMarshal.Cast<byte, float>(piece.bytes));
        }
        return sum;
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
