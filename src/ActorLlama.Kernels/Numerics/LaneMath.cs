using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace ActorLlama.Kernels;

/// <summary>
/// Functions of 16 lanes made of exactly rounded operations only, so a lane's bits depend on its own input and on nothing else: not on the
/// instruction set, the host's maths library or the neighbouring lanes.
/// </summary>
internal static unsafe class LaneMath
{
    public const int Lanes = 16;

    /// <summary>e to the power x, within 1.1 units in the last place for normal results; 0 below -104, infinity above 88.73.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Exp(Vector512<float> x)
    {
        // Where the runtime splits vectors of 512 bits it keeps them in memory: so by halves.
        if (!Vector512.IsHardwareAccelerated) return Vector512.Create(Exp(x.GetLower()), Exp(x.GetUpper()));
        var lowest = Vector512.Create(-104.5f);
        var highest = Vector512.Create(89f);
        x = Vector512.ConditionalSelect(Vector512.LessThan(x, lowest), lowest, x);
        x = Vector512.ConditionalSelect(Vector512.GreaterThan(x, highest), highest, x);

        // x = n·ln 2 + r with |r| <= ln(2)/2. Adding 1.5·2^23 rounds to an integer that then stands in the low bits.
        var shift = Vector512.Create(12582912f);
        var shifted = Vector512.FusedMultiplyAdd(x, Vector512.Create(1.44269504088896341f), shift);
        var n = shifted - shift;
        var r = Vector512.FusedMultiplyAdd(n, Vector512.Create(-0.693145751953125f), x);
        r = Vector512.FusedMultiplyAdd(n, Vector512.Create(-1.42860682030941723e-6f), r);

        // e^r = 1 + r + r²·p(r)
        var p = Vector512.Create(1.9875691500e-4f);
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(1.3981999507e-3f));
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(8.3334519073e-3f));
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(4.1665795894e-2f));
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(1.6666665459e-1f));
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(5.0000001201e-1f));
        var y = Vector512.FusedMultiplyAdd(p, r * r, r) + Vector512.Create(1f);

        // 2^n in two factors: results below 2^-126 are then rounded once.
        var exponent = shifted.AsInt32() - shift.AsInt32();
        var half = exponent >> 1;
        return y * PowerOfTwo(half) * PowerOfTwo(exponent - half);
    }

    /// <summary>As <see cref="Exp(Vector512{float})"/>, lane for lane.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Exp(Vector256<float> x)
    {
        var lowest = Vector256.Create(-104.5f);
        var highest = Vector256.Create(89f);
        x = Vector256.ConditionalSelect(Vector256.LessThan(x, lowest), lowest, x);
        x = Vector256.ConditionalSelect(Vector256.GreaterThan(x, highest), highest, x);

        // x = n·ln 2 + r with |r| <= ln(2)/2. Adding 1.5·2^23 rounds to an integer that then stands in the low bits.
        var shift = Vector256.Create(12582912f);
        var shifted = Vector256.FusedMultiplyAdd(x, Vector256.Create(1.44269504088896341f), shift);
        var n = shifted - shift;
        var r = Vector256.FusedMultiplyAdd(n, Vector256.Create(-0.693145751953125f), x);
        r = Vector256.FusedMultiplyAdd(n, Vector256.Create(-1.42860682030941723e-6f), r);

        // e^r = 1 + r + r²·p(r)
        var p = Vector256.Create(1.9875691500e-4f);
        p = Vector256.FusedMultiplyAdd(p, r, Vector256.Create(1.3981999507e-3f));
        p = Vector256.FusedMultiplyAdd(p, r, Vector256.Create(8.3334519073e-3f));
        p = Vector256.FusedMultiplyAdd(p, r, Vector256.Create(4.1665795894e-2f));
        p = Vector256.FusedMultiplyAdd(p, r, Vector256.Create(1.6666665459e-1f));
        p = Vector256.FusedMultiplyAdd(p, r, Vector256.Create(5.0000001201e-1f));
        var y = Vector256.FusedMultiplyAdd(p, r * r, r) + Vector256.Create(1f);

        // 2^n in two factors: results below 2^-126 are then rounded once.
        var exponent = shifted.AsInt32() - shift.AsInt32();
        var half = exponent >> 1;
        return y * PowerOfTwo(half) * PowerOfTwo(exponent - half);
    }

    /// <summary>1 / (1 + e^-x).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Sigmoid(Vector512<float> x)
    {
        if (!Vector512.IsHardwareAccelerated) return Vector512.Create(Sigmoid(x.GetLower()), Sigmoid(x.GetUpper()));
        var one = Vector512.Create(1f);
        // From e^-|x|, which neither overflows nor loses small results.
        var e = Exp((x.AsUInt32() | Vector512.Create(0x80000000u)).AsSingle());
        var numerator = Vector512.ConditionalSelect(Vector512.GreaterThanOrEqual(x, Vector512<float>.Zero), one, e);
        return numerator / (one + e);
    }

    /// <summary>As <see cref="Sigmoid(Vector512{float})"/>, lane for lane.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Sigmoid(Vector256<float> x)
    {
        var one = Vector256.Create(1f);
        var e = Exp((x.AsUInt32() | Vector256.Create(0x80000000u)).AsSingle());
        var numerator = Vector256.ConditionalSelect(Vector256.GreaterThanOrEqual(x, Vector256<float>.Zero), one, e);
        return numerator / (one + e);
    }

    /// <summary>x · sigmoid(x).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Silu(Vector512<float> x) => x * Sigmoid(x);

    /// <summary>As <see cref="Silu(Vector512{float})"/>, lane for lane.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Silu(Vector256<float> x) => x * Sigmoid(x);

    /// <summary>The sum of all lanes, by halves: lane i + lane i + 8, then + 4, + 2, + 1.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sum(Vector512<float> v) => Sum(v.GetLower(), v.GetUpper());

    /// <summary>As <see cref="Sum(Vector512{float})"/>, of the vector with these halves.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sum(Vector256<float> lower, Vector256<float> upper)
    {
        var eight = lower + upper;
        var four = eight.GetLower() + eight.GetUpper();
        return (four[0] + four[2]) + (four[1] + four[3]);
    }

    /// <summary>The greatest lane, by halves; of no use with NaN.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Max(Vector512<float> v) => Max(v.GetLower(), v.GetUpper());

    /// <summary>As <see cref="Max(Vector512{float})"/>, of the vector with these halves.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Max(Vector256<float> lower, Vector256<float> upper)
    {
        var eight = Greater(lower, upper);
        var four = Vector128.ConditionalSelect(Vector128.GreaterThan(eight.GetUpper(), eight.GetLower()), eight.GetUpper(), eight.GetLower());
        float a = four[2] > four[0] ? four[2] : four[0], b = four[3] > four[1] ? four[3] : four[1];
        return b > a ? b : a;
    }

    /// <summary>The greater of each pair of lanes; a where they are equal.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Max(Vector512<float> a, Vector512<float> b) => Vector512.ConditionalSelect(Vector512.GreaterThan(b, a), b, a);

    /// <summary>The greater of each pair of lanes; a where they are equal.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Greater(Vector256<float> a, Vector256<float> b) => Vector256.ConditionalSelect(Vector256.GreaterThan(b, a), b, a);

    /// <summary>The first <paramref name="count"/> lanes from memory, zero in the others; reads no other byte.</summary>
    public static Vector512<float> LoadTail(float* from, long count)
    {
        var lanes = stackalloc float[Lanes];
        for (var i = 0; i < Lanes; i++) lanes[i] = i < count ? from[i] : 0f;
        return Vector512.Load(lanes);
    }

    /// <summary>Writes the first <paramref name="count"/> lanes and no other byte.</summary>
    public static void StoreTail(Vector512<float> v, float* to, long count)
    {
        var lanes = stackalloc float[Lanes];
        v.Store(lanes);
        for (var i = 0; i < count; i++) to[i] = lanes[i];
    }

    /// <summary><see cref="Exp(Vector512{float})"/> of one number.</summary>
    public static float Exp(float x) => Exp(Vector256.Create(x))[0];

    /// <summary><see cref="Sigmoid(Vector512{float})"/> of one number.</summary>
    public static float Sigmoid(float x) => Sigmoid(Vector256.Create(x))[0];

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> PowerOfTwo(Vector512<int> exponent) => ((exponent + Vector512.Create(127)) << 23).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> PowerOfTwo(Vector256<int> exponent) => ((exponent + Vector256.Create(127)) << 23).AsSingle();
}
