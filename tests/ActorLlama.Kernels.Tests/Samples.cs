using System.Runtime.InteropServices;

namespace ActorLlama.Kernels.Tests;

/// <summary>Fixed inputs, and plain scalar arithmetic to compare with.</summary>
internal static unsafe class Samples
{
    public static float[] Floats(int seed, long count, float scale = 1f)
    {
        var random = new Random(seed);
        var values = new float[count];
        for (var i = 0; i < count; i++) values[i] = (float)(random.NextDouble() * 2 - 1) * scale;
        return values;
    }

    public static float[] Bf16Floats(int seed, long count, float scale = 1f) => Array.ConvertAll(Floats(seed, count, scale), Bf16.Round);

    /// <summary>Values as bytes of float32 or, already representable, of bfloat16.</summary>
    public static byte[] Stored(float[] values, bool isBf16) => isBf16
        ? MemoryMarshal.AsBytes<ushort>(Array.ConvertAll(values, Bf16.FromSingle)).ToArray()
        : MemoryMarshal.AsBytes<float>(values).ToArray();

    /// <summary>[inputs,outputs] of an [outputs,inputs] matrix.</summary>
    public static float[] Transpose(float[] matrix, int outputs, int inputs)
    {
        var t = new float[matrix.Length];
        for (var n = 0; n < outputs; n++)
            for (var k = 0; k < inputs; k++) t[(long)k * outputs + n] = matrix[(long)n * inputs + k];
        return t;
    }

    /// <summary>The canonical order, one output at a time: chains of 512, added in order.</summary>
    public static float[] CanonicalProduct(float[] x, int rows, float[] matrix, int outputs, int inputs)
    {
        var y = new float[rows * outputs];
        for (var r = 0; r < rows; r++)
            for (var n = 0; n < outputs; n++)
            {
                var total = 0f;
                for (var start = 0; start < inputs; start += 512)
                {
                    var partial = 0f;
                    for (var k = start; k < Math.Min(inputs, start + 512); k++) partial = MathF.FusedMultiplyAdd(x[r * inputs + k], matrix[(long)n * inputs + k], partial);
                    total = start == 0 ? partial : total + partial;
                }
                y[r * outputs + n] = total;
            }
        return y;
    }

    public static double[] ExactProduct(float[] x, int rows, float[] matrix, int outputs, int inputs)
    {
        var y = new double[rows * outputs];
        for (var r = 0; r < rows; r++)
            for (var n = 0; n < outputs; n++)
                for (var k = 0; k < inputs; k++) y[r * outputs + n] += (double)x[r * inputs + k] * matrix[(long)n * inputs + k];
        return y;
    }

    public static void AssertSameBits(float[] expected, float[] actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (var i = 0; i < expected.Length; i++)
            if (BitConverter.SingleToInt32Bits(expected[i]) != BitConverter.SingleToInt32Bits(actual[i]))
                Assert.Fail($"value {i} is {actual[i]:R}, expected {expected[i]:R}");
    }

    public static void AssertClose(double[] expected, float[] actual, double tolerance)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (var i = 0; i < expected.Length; i++) Assert.True(Math.Abs(expected[i] - actual[i]) <= tolerance, $"value {i} is {actual[i]:R}, expected {expected[i]:R} within {tolerance}");
    }
}
