using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace ActorLlama.Kernels;

/// <summary>Whole numbers of 8 bits, packed by us: 32-bit lane j holds outputs j, j + 16, j + 8 and j + 24, the first in its lowest byte. Their scales lie apart.</summary>
internal readonly unsafe struct Int8 : IPanelFormat
{
    public static int GroupBytes => 32;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Load(byte* group, out Vector512<float> low, out Vector512<float> high)
    {
        var lanes = Vector256.Load((int*)group);
        low = Vector512.Create(Vector256.ConvertToSingle((lanes << 24) >> 24), Vector256.ConvertToSingle((lanes << 8) >> 24));
        high = Vector512.Create(Vector256.ConvertToSingle((lanes << 16) >> 24), Vector256.ConvertToSingle(lanes >> 24));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(float* outputs, Vector512<float> low, Vector512<float> high, bool add) => Float32.Store(outputs, low, high, add);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void LoadHalf(byte* group, int half, out Vector256<float> low, out Vector256<float> high)
    {
        var lanes = Vector256.Load((int*)group);
        low = Vector256.ConvertToSingle((lanes << (24 - 16 * half)) >> 24);
        high = Vector256.ConvertToSingle((lanes << (16 - 16 * half)) >> 24);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreHalf(float* outputs, int half, Vector256<float> low, Vector256<float> high, bool add) =>
        Float32.StoreHalf(outputs, half, low, high, add);

    /// <summary>Writes a group of 32 numbers, outputs in order, each to the nearest whole number, ties to even.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Pack(Vector512<float> first, Vector512<float> second, byte* group)
    {
        var (a, b) = (Vector512.ConvertToInt32(Vector512.Round(first)), Vector512.ConvertToInt32(Vector512.Round(second)));
        var mask = Vector256.Create(0xff);
        ((a.GetLower() & mask) | ((b.GetLower() & mask) << 8) | ((a.GetUpper() & mask) << 16) | (b.GetUpper() << 24)).Store((int*)group);
    }
}
