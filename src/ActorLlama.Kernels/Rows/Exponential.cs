using System.Runtime.Intrinsics;

namespace ActorLlama.Kernels;

/// <summary>e to the power of many numbers: each result has the same bits wherever its number stands and on every host.</summary>
public static unsafe class Exponential
{
    /// <summary>y = e^x, within 1.1 units in the last place; y may be x.</summary>
    public static void Of(ReadOnlySpan<float> x, Span<float> y)
    {
        if (y.Length < x.Length) throw new ArgumentException($"Exponential: room for {y.Length} results of {x.Length} numbers.", nameof(y));
        fixed (float* from = x, to = y)
        {
            var i = 0;
            for (; i + LaneMath.Lanes <= x.Length; i += LaneMath.Lanes) LaneMath.Exp(Vector512.Load(from + i)).Store(to + i);
            if (i < x.Length) LaneMath.StoreTail(LaneMath.Exp(LaneMath.LoadTail(from + i, x.Length - i)), to + i, x.Length - i);
        }
    }
}
