using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace ActorLlama.Kernels;

/// <summary>Where the sums of a tile come from and go to, for one row and half a panel.</summary>
internal unsafe interface ITileSums
{
    static abstract void Begin(float* y, int half, out Vector256<float> low, out Vector256<float> high);

    static abstract void End<TFormat>(float* y, int half, Vector256<float> low, Vector256<float> high, bool add) where TFormat : struct, IPanelFormat;
}

/// <summary>The tile runs over all k of a partial sum: it begins at zero and ends in the outputs.</summary>
internal readonly unsafe struct WholeSums : ITileSums
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Begin(float* y, int half, out Vector256<float> low, out Vector256<float> high) => (low, high) = (default, default);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void End<TFormat>(float* y, int half, Vector256<float> low, Vector256<float> high, bool add) where TFormat : struct, IPanelFormat =>
        TFormat.StoreHalf(y, half, low, high, add);
}

/// <summary>The tile runs over some k: the chains go on from memory and are left there, 32 floats a panel in the order of the lanes.</summary>
internal readonly unsafe struct KeptSums : ITileSums
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Begin(float* y, int half, out Vector256<float> low, out Vector256<float> high) =>
        (low, high) = (Vector256.Load(y + 16 * half), Vector256.Load(y + 16 * half + 8));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void End<TFormat>(float* y, int half, Vector256<float> low, Vector256<float> high, bool add) where TFormat : struct, IPanelFormat
    {
        low.Store(y + 16 * half);
        high.Store(y + 16 * half + 8);
    }
}
