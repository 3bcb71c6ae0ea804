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
}

/// <summary>bfloat16 in plain order, as a row of an [in,out] matrix has it: lane j holds outputs 2j and 2j + 1.</summary>
internal readonly unsafe struct PlainBf16 : IPanelFormat
{
    public static int GroupBytes => 64;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Load(byte* group, out Vector512<float> low, out Vector512<float> high) => PackedBf16.Load(group, out low, out high);

    public static void Store(float* outputs, Vector512<float> low, Vector512<float> high, bool add)
    {
        var lanes = stackalloc float[32];
        low.Store(lanes);
        high.Store(lanes + 16);
        for (var j = 0; j < 16; j++)
        {
            outputs[2 * j] = add ? outputs[2 * j] + lanes[j] : lanes[j];
            outputs[2 * j + 1] = add ? outputs[2 * j + 1] + lanes[16 + j] : lanes[16 + j];
        }
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
}
