using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Security.Cryptography;

namespace ActorLlama.Kernels.Probe;

/// <summary>Hashes of what every kernel makes of fixed inputs, on shapes with several partial sums, several tiles and odd ends.</summary>
public static unsafe class KernelHashes
{
    private const int Inputs = 2051, Outputs = 97, Rows = 12;

    public static IEnumerable<(string Name, string Hash)> All(int threads)
    {
        using var team = new ThreadTeam(threads);
        foreach (var isBf16 in new[] { true, false })
        {
            var type = isBf16 ? "bfloat16" : "float32";
            yield return ($"product/packed/{type}", Packed(team, isBf16));
            yield return ($"product/in-place/{type}", InPlace(team, isBf16, Rows));
            yield return ($"product/in-place-one-row/{type}", InPlace(team, isBf16, 1));
            yield return ($"product/in-place-more-rows/{type}", InPlace(team, isBf16, 20));
            yield return ($"product/int8-of-{type}", Rounded(team, isBf16, Rows));
            yield return ($"product/int8-of-{type}-one-row", Rounded(team, isBf16, 1));
            yield return ($"attention/{type}", Attention(isBf16, positions: 1));
            yield return ($"attention-together/{type}", Attention(isBf16, positions: 7));
            yield return ($"ffn/{type}", Ffn(team, isBf16));
        }
        yield return ("functions", Functions());
        yield return ("norm", Norm());
    }

    private static string Packed(ThreadTeam team, bool isBf16)
    {
        var x = Floats(1, Rows * Inputs);
        var w = Weights(2, Outputs * Inputs, isBf16);
        var y = new float[Rows * Outputs];
        fixed (float* px = x, py = y)
        fixed (byte* pw = w)
        {
            using var packed = PackedMatrix.Pack((nint)pw, isBf16, Outputs, Inputs, Inputs, 1, team);
            Product.Run(team, new Product(packed.Panels, px, Inputs, Rows, py, Outputs, round: isBf16));
        }
        return Hash(y);
    }

    private static string InPlace(ThreadTeam team, bool isBf16, int rows)
    {
        const int columns = 160, first = 32, outputs = 96;
        var x = Floats(3, rows * Inputs);
        var w = Weights(4, columns * Inputs, isBf16);
        var y = new float[rows * outputs];
        fixed (float* px = x, py = y)
        fixed (byte* pw = w)
            Product.Run(team, new Product(WeightPanels.InPlace((nint)pw, isBf16, Inputs, columns, first, outputs), px, Inputs, rows, py, outputs, round: false));
        return Hash(y);
    }

    private static string Rounded(ThreadTeam team, bool isBf16, int rows)
    {
        var x = Floats(3, rows * Inputs);
        var w = Weights(2, Outputs * Inputs, isBf16);
        var y = new float[rows * Outputs];
        fixed (float* px = x, py = y)
        fixed (byte* pw = w)
        {
            using var packed = PackedMatrix.Pack((nint)pw, isBf16, Outputs, Inputs, Inputs, 1, team);
            using var matrix = Int8Matrix.Pack(packed.Panels, team);
            Product.Run(team, new Product(matrix.Panels, px, Inputs, rows, py, Outputs, round: false));
        }
        return Hash(y);
    }

    /// <summary>The last positions of 150 attend to the fifth and all after it.</summary>
    private static string Attention(bool isBf16, int positions)
    {
        const int dim = 40, queries = 3, context = 150;
        var layout = new KvLayout(2, dim, isBf16);
        var k = Floats(5, context * 2 * dim);
        var v = Floats(6, context * 2 * dim);
        var q = Floats(7, positions * queries * dim);
        var y = new float[positions * queries * dim];
        var memory = (byte*)NativeMemory.AllocZeroed((nuint)layout.BlockBytes * 3);
        var scratch = (byte*)NativeMemory.Alloc((nuint)BlockAttention.ScratchBytes(layout, queries, positions));
        nint[] blocks = [(nint)memory, (nint)(memory + layout.BlockBytes), (nint)(memory + 2 * layout.BlockBytes)];
        fixed (float* pk = k, pv = v, pq = q, py = y)
        {
            for (var p = 0; p < context; p++) layout.Write(blocks[p / 64], p % 64, pk + p * 2 * dim, pv + p * 2 * dim);
            BlockAttention.Run(layout, 1, pq, queries * dim, queries, positions, 5, context - positions, blocks, py, isBf16, scratch);
        }
        NativeMemory.Free(memory);
        NativeMemory.Free(scratch);
        return Hash(y);
    }

    private static string Ffn(ThreadTeam team, bool isBf16)
    {
        const int width = 64, hidden = 96, rows = 5;
        var x = Floats(8, rows * width);
        var gateUp = Weights(9, width * 2 * hidden, isBf16);
        var down = Weights(10, hidden * width, isBf16);
        float[] gate = new float[rows * hidden], up = new float[rows * hidden], y = new float[rows * width];
        fixed (float* px = x, pg = gate, pu = up, py = y)
        fixed (byte* pw = gateUp, pd = down)
        {
            var group = new FfnGroup(WeightPanels.InPlace((nint)pw, isBf16, width, 2 * hidden, 0, hidden), WeightPanels.InPlace((nint)pw, isBf16, width, 2 * hidden, hidden, hidden),
                WeightPanels.InPlace((nint)pd, isBf16, hidden, width, 0, width), 0, rows);
            GatedFfn.Run(team, new FfnJob([group], px, pg, pu, py, isBf16));
        }
        return Hash(y);
    }

    private static string Functions()
    {
        var results = new List<float>();
        for (var i = 0; i < 2000; i++)
        {
            var x = (i - 1000) * 0.1103f;
            results.Add(LaneMath.Exp(x));
            results.Add(LaneMath.Sigmoid(x));
            results.Add(LaneMath.Silu(Vector512.Create(x))[0]);
            results.Add(Bf16.Round(Vector512.Create(x))[0]);
        }
        return Hash([.. results]);
    }

    private static string Norm()
    {
        const int width = 2051;
        float[] x = Floats(11, width), gain = Floats(12, width), y = new float[2 * width];
        fixed (float* px = x, pg = gain, py = y)
        {
            RowMath.RmsNorm(px, pg, width, 1e-5f, py, round: false);
            RowMath.RmsNorm(px, pg, width, 1e-5f, py + width, round: true);
        }
        return Hash(y);
    }

    private static float[] Floats(int seed, int count)
    {
        var random = new Random(seed);
        var values = new float[count];
        for (var i = 0; i < count; i++) values[i] = (float)(random.NextDouble() * 4 - 2);
        return values;
    }

    private static byte[] Weights(int seed, int count, bool isBf16)
    {
        var values = Floats(seed, count);
        return isBf16 ? MemoryMarshal.AsBytes<ushort>(values.Select(Bf16.FromSingle).ToArray()).ToArray() : MemoryMarshal.AsBytes<float>(values).ToArray();
    }

    private static string Hash(float[] values) => Convert.ToHexString(SHA256.HashData(MemoryMarshal.AsBytes<float>(values)).AsSpan(0, 12));
}
