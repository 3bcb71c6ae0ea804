using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace ActorLlama.Kernels;

/// <summary>bfloat16: the upper half of a float32, rounded to nearest, ties to even. NaN stays NaN.</summary>
public static class Bf16
{
    public static float ToSingle(ushort value) => BitConverter.UInt32BitsToSingle((uint)value << 16);

    public static ushort FromSingle(float value)
    {
        var bits = BitConverter.SingleToUInt32Bits(value);
        if (float.IsNaN(value)) return (ushort)((bits >> 16) | 0x40);
        return (ushort)((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
    }

    /// <summary>The nearest float32 that bfloat16 can hold.</summary>
    public static float Round(float value) => ToSingle(FromSingle(value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector512<float> Round(Vector512<float> value)
    {
        var bits = value.AsUInt32();
        var rounded = bits + Vector512.Create(0x7fffu) + ((bits >>> 16) & Vector512.Create(1u));
        var quiet = bits | Vector512.Create(0x400000u);
        var isNumber = Vector512.Equals(value, value).AsUInt32();
        return (Vector512.ConditionalSelect(isNumber, rounded, quiet) & Vector512.Create(0xffff0000u)).AsSingle();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector256<float> Round(Vector256<float> value)
    {
        var bits = value.AsUInt32();
        var rounded = bits + Vector256.Create(0x7fffu) + ((bits >>> 16) & Vector256.Create(1u));
        var quiet = bits | Vector256.Create(0x400000u);
        var isNumber = Vector256.Equals(value, value).AsUInt32();
        return (Vector256.ConditionalSelect(isNumber, rounded, quiet) & Vector256.Create(0xffff0000u)).AsSingle();
    }

    /// <summary>Rounds <paramref name="count"/> values in place.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static unsafe void Round(float* values, long count)
    {
        long i = 0;
        for (; i + 16 <= count; i += 16) Round(Vector512.Load(values + i)).Store(values + i);
        for (; i < count; i++) values[i] = Round(values[i]);
    }
}
