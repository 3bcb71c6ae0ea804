using System.Numerics;
using System.Runtime.Intrinsics;

namespace ActorLlama.Kernels;

/// <summary>Finds the greatest of many numbers.</summary>
public static unsafe class Greatest
{
    /// <summary>The lowest index of the greatest number; -1 when there is none, or when one of them is NaN. 0 and -0 are equal.</summary>
    public static int IndexIn(ReadOnlySpan<float> x)
    {
        fixed (float* from = x)
        {
            var top = Vector512.Create(float.NegativeInfinity);
            var isNumber = Vector512<float>.AllBitsSet;
            var i = 0;
            for (; i + LaneMath.Lanes <= x.Length; i += LaneMath.Lanes)
            {
                var v = Vector512.Load(from + i);
                isNumber &= Vector512.Equals(v, v);
                top = LaneMath.Max(top, v);
            }

            var max = LaneMath.Max(top);
            for (var rest = i; rest < x.Length; rest++)
            {
                if (float.IsNaN(from[rest])) return -1;
                if (from[rest] > max) max = from[rest];
            }

            return AreAllSet(isNumber) ? First(from, x.Length, max) : -1;
        }
    }

    private static bool AreAllSet(Vector512<float> mask) => mask.ExtractMostSignificantBits() == (1ul << LaneMath.Lanes) - 1;

    private static int First(float* from, int count, float value)
    {
        var wanted = Vector512.Create(value);
        var i = 0;
        for (; i + LaneMath.Lanes <= count; i += LaneMath.Lanes)
            if (Vector512.Equals(Vector512.Load(from + i), wanted).ExtractMostSignificantBits() is var hit && hit != 0) return i + BitOperations.TrailingZeroCount(hit);
        for (; i < count; i++)
            if (from[i] == value) return i;
        return -1;
    }
}
