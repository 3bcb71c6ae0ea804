using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace ActorLlama.Kernels;

/// <summary>
/// How the weights of 32 neighbouring outputs for one k lie in memory, and which outputs the two vectors made of them stand for.
/// A panel is such groups for ascending k, a fixed number of bytes apart.
/// </summary>
internal unsafe interface IPanelFormat
{
    /// <summary>Bytes of one group.</summary>
    static abstract int GroupBytes { get; }

    static abstract void Load(byte* group, out Vector512<float> low, out Vector512<float> high);

    /// <summary>Writes the 32 outputs, in order, that were summed as <paramref name="low"/> and <paramref name="high"/>; or adds them to what is there.</summary>
    static abstract void Store(float* outputs, Vector512<float> low, Vector512<float> high, bool add);

    /// <summary>Lanes 0 to 7 (half 0) or 8 to 15 (half 1) of what <see cref="Load"/> makes.</summary>
    static abstract void LoadHalf(byte* group, int half, out Vector256<float> low, out Vector256<float> high);

    /// <summary>Writes or adds the outputs of those lanes.</summary>
    static abstract void StoreHalf(float* outputs, int half, Vector256<float> low, Vector256<float> high, bool add);
}

/// <summary>bfloat16, packed by us: 32-bit lane j holds output j in its low half and output j + 16 in its high half.</summary>
internal readonly unsafe struct PackedBf16 : IPanelFormat
{
    public static int GroupBytes => 64;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Load(byte* group, out Vector512<float> low, out Vector512<float> high)
    {
        var pairs = Vector512.Load((uint*)group);
        low = (pairs << 16).AsSingle();
        high = (pairs & Vector512.Create(0xffff0000u)).AsSingle();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(float* outputs, Vector512<float> low, Vector512<float> high, bool add) => Float32.Store(outputs, low, high, add);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void LoadHalf(byte* group, int half, out Vector256<float> low, out Vector256<float> high)
    {
        var pairs = Vector256.Load((uint*)group + 8 * half);
        low = (pairs << 16).AsSingle();
        high = (pairs & Vector256.Create(0xffff0000u)).AsSingle();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreHalf(float* outputs, int half, Vector256<float> low, Vector256<float> high, bool add) =>
        Float32.StoreHalf(outputs, half, low, high, add);
}

/// <summary>bfloat16 in plain order, as a row of an [in,out] matrix has it: lane j holds outputs 2j and 2j + 1.</summary>
internal readonly unsafe struct PlainBf16 : IPanelFormat
{
    public static int GroupBytes => 64;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Load(byte* group, out Vector512<float> low, out Vector512<float> high) => PackedBf16.Load(group, out low, out high);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(float* outputs, Vector512<float> low, Vector512<float> high, bool add)
    {
        // Low and high lane side by side as one 64-bit lane: outputs in order.
        var (even0, even1) = Vector512.Widen(low.AsUInt32());
        var (odd0, odd1) = Vector512.Widen(high.AsUInt32());
        Float32.Store(outputs, (even0 | (odd0 << 32)).AsSingle(), (even1 | (odd1 << 32)).AsSingle(), add);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void LoadHalf(byte* group, int half, out Vector256<float> low, out Vector256<float> high) =>
        PackedBf16.LoadHalf(group, half, out low, out high);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreHalf(float* outputs, int half, Vector256<float> low, Vector256<float> high, bool add)
    {
        var (even0, even1) = Vector256.Widen(low.AsUInt32());
        var (odd0, odd1) = Vector256.Widen(high.AsUInt32());
        Vector256<float> first = (even0 | (odd0 << 32)).AsSingle(), second = (even1 | (odd1 << 32)).AsSingle();
        outputs += 16 * half;
        if (add)
        {
            first = Vector256.Load(outputs) + first;
            second = Vector256.Load(outputs + 8) + second;
        }
        first.Store(outputs);
        second.Store(outputs + 8);
    }
}

/// <summary>float32 in plain order.</summary>
internal readonly unsafe struct Float32 : IPanelFormat
{
    public static int GroupBytes => 128;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Load(byte* group, out Vector512<float> low, out Vector512<float> high)
    {
        low = Vector512.Load((float*)group);
        high = Vector512.Load((float*)group + 16);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(float* outputs, Vector512<float> low, Vector512<float> high, bool add)
    {
        if (add)
        {
            low = Vector512.Load(outputs) + low;
            high = Vector512.Load(outputs + 16) + high;
        }
        low.Store(outputs);
        high.Store(outputs + 16);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void LoadHalf(byte* group, int half, out Vector256<float> low, out Vector256<float> high)
    {
        low = Vector256.Load((float*)group + 8 * half);
        high = Vector256.Load((float*)group + 16 + 8 * half);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreHalf(float* outputs, int half, Vector256<float> low, Vector256<float> high, bool add)
    {
        outputs += 8 * half;
        if (add)
        {
            low = Vector256.Load(outputs) + low;
            high = Vector256.Load(outputs + 16) + high;
        }
        low.Store(outputs);
        high.Store(outputs + 16);
    }
}
