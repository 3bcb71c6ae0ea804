using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using ActorLlama.Model;

namespace ActorLlama.Checkpoints;

/// <summary>
/// Freshly initialised bfloat16 weights (spec 7.3): norms 1, embedding normal of variance 1/D, kernels normal cut at ±2σ
/// of variance 1/fan-in. A weight is a function of seed, parameter name and position alone, so threads and order change nothing.
/// </summary>
internal sealed class RandomWeights(ulong seed)
{
    private const ushort One = 0x3F80;

    private readonly Dictionary<(bool IsTruncated, long FanIn), ushort[]> _tables = [];

    /// <summary>The tensor of a parameter under a checkpoint's key.</summary>
    public TensorToWrite Of(Parameter parameter, string key) =>
        new(key, SafetensorsType.BF16, parameter.Shape, parameter.Group == ParameterGroup.Norm ? Ones : Normal(parameter));

    private static void Ones(long offset, Span<byte> bytes) => MemoryMarshal.Cast<byte, ushort>(bytes).Fill(One);

    private TensorFill Normal(Parameter parameter)
    {
        // The second axis is the input in [out,in], [E,in,out] and, for the embedding, its width.
        var table = TableOf(parameter.Group != ParameterGroup.Embedding, parameter.Shape[1]);
        var stream = StreamOf(parameter.Name);
        return (offset, bytes) => Fill(table, stream, offset / sizeof(ushort), MemoryMarshal.Cast<byte, ushort>(bytes));
    }

    /// <summary>Four weights come from one 64-bit word.</summary>
    private static void Fill(ushort[] table, ulong stream, long first, Span<ushort> weights)
    {
        var word = 0UL;
        for (var i = 0; i < weights.Length; i++)
        {
            var (at, lane) = ((ulong)(first + i) >> 2, (int)(first + i) & 3);
            if (lane == 0 || i == 0) word = Mix(stream + at * 0x9E3779B97F4A7C15);
            weights[i] = table[(ushort)(word >> (16 * lane))];
        }
    }

    /// <summary>The output function of SplitMix64.</summary>
    private static ulong Mix(ulong x)
    {
        x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
        x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
        return x ^ (x >> 31);
    }

    private ulong StreamOf(string name) =>
        BinaryPrimitives.ReadUInt64LittleEndian(SHA256.HashData(Encoding.UTF8.GetBytes($"{seed}/{name}")));

    private ushort[] TableOf(bool isTruncated, long fanIn)
    {
        if (_tables.TryGetValue((isTruncated, fanIn), out var table)) return table;
        var deviation = Math.Sqrt(1.0 / fanIn);
        table = [.. (isTruncated ? NormalQuantiles.Truncated : NormalQuantiles.Plain).Select(value => Round((float)(value * deviation)))];
        return _tables[(isTruncated, fanIn)] = table;
    }

    /// <summary>The nearest bfloat16 of a finite number, ties to even.</summary>
    private static ushort Round(float value)
    {
        var bits = BitConverter.SingleToUInt32Bits(value);
        return (ushort)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
    }
}
