using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace ActorLlama.Kernels;

/// <summary>Whole numbers of 8 bits, outputs in order. Their scales lie apart.</summary>
internal readonly unsafe struct Int8 : IPanelFormat
{
    public static int GroupBytes => 32;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Load(byte* group, out Vector512<float> low, out Vector512<float> high)
    {
        if (Avx512F.IsSupported)
        {
            low = Vector512.ConvertToSingle(Avx512F.ConvertToVector512Int32(Vector128.Load((sbyte*)group)));
            high = Vector512.ConvertToSingle(Avx512F.ConvertToVector512Int32(Vector128.Load((sbyte*)group + 16)));
            return;
        }
        LoadHalf(group, 0, out var low0, out var high0);
        LoadHalf(group, 1, out var low1, out var high1);
        low = Vector512.Create(low0, low1);
        high = Vector512.Create(high0, high1);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(float* outputs, Vector512<float> low, Vector512<float> high, bool add) => Float32.Store(outputs, low, high, add);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void LoadHalf(byte* group, int half, out Vector256<float> low, out Vector256<float> high)
    {
        low = Eight((sbyte*)group + 8 * half);
        high = Eight((sbyte*)group + 16 + 8 * half);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreHalf(float* outputs, int half, Vector256<float> low, Vector256<float> high, bool add) =>
        Float32.StoreHalf(outputs, half, low, high, add);

    /// <summary>Writes a group of 32 numbers, outputs in order, each to the nearest whole number, ties to even.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Pack(Vector512<float> first, Vector512<float> second, byte* group)
    {
        var words = Vector512.Narrow(Vector512.ConvertToInt32(Vector512.Round(first)), Vector512.ConvertToInt32(Vector512.Round(second)));
        Vector256.Narrow(words.GetLower(), words.GetUpper()).Store((sbyte*)group);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Eight(sbyte* numbers)
    {
        if (Avx2.IsSupported) return Vector256.ConvertToSingle(Avx2.ConvertToVector256Int32(numbers));
        var words = Vector128.WidenLower(Vector128.CreateScalarUnsafe(*(long*)numbers).AsSByte());
        return Vector256.ConvertToSingle(Vector256.Create(Vector128.WidenLower(words), Vector128.WidenUpper(words)));
    }
}
