using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace ActorLlama.Kernels;

/// <summary>
/// What happens to one row at a time. With <c>round</c> the results are rounded to bfloat16 where the numerics contract says so. y may
/// be x.
/// </summary>
public static unsafe class RowMath
{
    /// <summary>1 / sqrt(mean(x²) + eps): squares summed in four vectors of 16 lanes, these added by halves.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static float InverseRootMeanSquare(float* x, int width, float eps)
    {
        Vector512<float> s0 = default, s1 = default, s2 = default, s3 = default;
        var i = 0;
        for (; i + 64 <= width; i += 64)
        {
            var (v0, v1, v2, v3) = (Vector512.Load(x + i), Vector512.Load(x + i + 16), Vector512.Load(x + i + 32), Vector512.Load(x + i + 48));
            s0 = Vector512.FusedMultiplyAdd(v0, v0, s0);
            s1 = Vector512.FusedMultiplyAdd(v1, v1, s1);
            s2 = Vector512.FusedMultiplyAdd(v2, v2, s2);
            s3 = Vector512.FusedMultiplyAdd(v3, v3, s3);
        }
        for (; i + 16 <= width; i += 16)
        {
            var v = Vector512.Load(x + i);
            s0 = Vector512.FusedMultiplyAdd(v, v, s0);
        }
        if (i < width)
        {
            var v = LaneMath.LoadTail(x + i, width - i);
            s1 = Vector512.FusedMultiplyAdd(v, v, s1);
        }
        var mean = LaneMath.Sum((s0 + s1) + (s2 + s3)) / width;
        return 1f / MathF.Sqrt(mean + eps);
    }

    /// <summary>y = round(x / rms(x)) · gain (spec 2.1: rounded before the gain and after it).</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void RmsNorm(float* x, float* gain, int width, float eps, float* y, bool round)
    {
        var scale = InverseRootMeanSquare(x, width, eps);
        var factor = Vector512.Create(scale);
        var i = 0;
        for (; i + 16 <= width; i += 16)
        {
            var u = Vector512.Load(x + i) * factor;
            var g = Vector512.Load(gain + i);
            (round ? Bf16.Round(Bf16.Round(u) * g) : u * g).Store(y + i);
        }
        for (; i < width; i++)
        {
            var u = x[i] * scale;
            y[i] = round ? Bf16.Round(Bf16.Round(u) * gain[i]) : u * gain[i];
        }
    }

    /// <summary>y = x / rms(x), without gain (spec 2.4).</summary>
    public static void UnitNorm(float* x, int width, float eps, float* y, bool round) => Scale(x, InverseRootMeanSquare(x, width, eps), width, y, round);

    /// <summary>y = stored elements, bfloat16 or float32.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Load(nint elements, bool isBf16, long count, float* y, bool round)
    {
        if (isBf16)
            for (long i = 0; i < count; i++) y[i] = Bf16.ToSingle(((ushort*)elements)[i]);
        else Buffer.MemoryCopy((void*)elements, y, count * 4, count * 4);
        if (round && !isBf16) Bf16.Round(y, count);
    }

    /// <summary>Stores values, which bfloat16 can hold if <paramref name="isBf16"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Save(float* x, long count, nint elements, bool isBf16)
    {
        if (isBf16)
            for (long i = 0; i < count; i++) ((ushort*)elements)[i] = Bf16.FromSingle(x[i]);
        else Buffer.MemoryCopy(x, (void*)elements, count * 4, count * 4);
    }

    /// <summary>y = x · factor.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Scale(float* x, float factor, long count, float* y, bool round)
    {
        var f = Vector512.Create(factor);
        long i = 0;
        for (; i + 16 <= count; i += 16) (Vector512.Load(x + i) * f).Store(y + i);
        for (; i < count; i++) y[i] = x[i] * factor;
        if (round) Bf16.Round(y, count);
    }

    /// <summary>y = a + b.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Add(float* a, float* b, long count, float* y, bool round)
    {
        long i = 0;
        for (; i + 16 <= count; i += 16) (Vector512.Load(a + i) + Vector512.Load(b + i)).Store(y + i);
        for (; i < count; i++) y[i] = a[i] + b[i];
        if (round) Bf16.Round(y, count);
    }

    /// <summary>y = x · factors, or with <paramref name="add"/> y + x · factors, rounded once.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static void MultiplyAdd(float* x, float* factors, int count, float* y, bool add)
    {
        var i = 0;
        for (; i + 16 <= count; i += 16)
        {
            var (a, b) = (Vector512.Load(x + i), Vector512.Load(factors + i));
            (add ? Vector512.FusedMultiplyAdd(a, b, Vector512.Load(y + i)) : a * b).Store(y + i);
        }
        for (; i < count; i++) y[i] = add ? MathF.FusedMultiplyAdd(x[i], factors[i], y[i]) : x[i] * factors[i];
    }

    /// <summary>
    /// Turns each pair (2j, 2j + 1) of a head by its angle (spec 2.3): <paramref name="turn"/> holds the cosines of all pairs, then the sines.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Rotate(float* x, ReadOnlySpan<float> turn, float* y, bool round)
    {
        var pairs = turn.Length / 2;
        for (var j = 0; j < pairs; j++)
        {
            float a = x[2 * j], b = x[2 * j + 1], cos = turn[j], sin = turn[pairs + j];
            float first = a * cos - b * sin, second = a * sin + b * cos;
            y[2 * j] = round ? Bf16.Round(first) : first;
            y[2 * j + 1] = round ? Bf16.Round(second) : second;
        }
    }

    /// <summary>
    /// The ids of the <paramref name="chosen"/>.Length greatest of <paramref name="scores"/>, ascending by id. Of equal scores the lowest
    /// ids win; NaN is chosen last.
    /// </summary>
    public static void TopIds(ReadOnlySpan<float> scores, Span<int> chosen)
    {
        for (var n = 0; n < chosen.Length; n++)
        {
            var best = -1;
            for (var id = 0; id < scores.Length; id++)
            {
                if (chosen[..n].Contains(id)) continue;
                if (best < 0 || scores[id] > scores[best] || (float.IsNaN(scores[best]) && !float.IsNaN(scores[id]))) best = id;
            }
            chosen[n] = best;
        }
        chosen.Sort();
    }

    /// <summary>The logistic function, as the router scores its choice.</summary>
    public static float Sigmoid(float x) => LaneMath.Sigmoid(x);
}
