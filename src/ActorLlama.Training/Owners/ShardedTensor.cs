using ActorLlama.Model;
using static TorchSharp.torch;

namespace ActorLlama.Training;

/// <summary>A whole parameter, or one of its moments, read from the ranges that owners hold. Readable until they are disposed; on their devices' thread.</summary>
internal sealed class ShardedTensor(string name, Parameter parameter, IReadOnlyList<(ParameterRange Range, Tensor Values)> parts)
    : TensorData(name, parts[0].Values.dtype == ScalarType.Float32 ? ElementType.Float32 : ElementType.BFloat16, parameter.Shape)
{
    public override void Read(long offset, Span<byte> bytes)
    {
        long from = offset / ElementBytes, to = from + bytes.Length / ElementBytes;
        foreach (var (range, values) in parts)
        {
            long start = Math.Max(from, range.Start), end = Math.Min(to, range.End);
            if (start >= end) continue;
            using var scope = NewDisposeScope();
            var part = values.narrow(0, start - range.Start, end - start).cpu();
            part.bytes.CopyTo(bytes[(int)((start - from) * ElementBytes)..]);
        }
    }
}
