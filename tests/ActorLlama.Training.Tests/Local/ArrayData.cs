using System.Runtime.InteropServices;
using ActorLlama.Model;

namespace ActorLlama.Training.Tests;

/// <summary>A parameter's elements in an array, float32.</summary>
internal sealed class ArrayData(TensorData of, float[] values) : TensorData(of.Name, ElementType.Float32, of.Shape)
{
    public override void Read(long offset, Span<byte> bytes) => MemoryMarshal.AsBytes(values.AsSpan()).Slice((int)offset, bytes.Length).CopyTo(bytes);
}
