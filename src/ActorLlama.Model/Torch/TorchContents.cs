using static TorchSharp.torch;

namespace ActorLlama.Model;

/// <summary>A tensor on a device, read back.</summary>
internal sealed class TorchContents(string name, Tensor tensor)
    : TensorData(name, tensor.dtype == ScalarType.Float32 ? ElementType.Float32 : ElementType.BFloat16, [.. tensor.shape])
{
    public override void Read(long offset, Span<byte> bytes)
    {
        using var scope = NewDisposeScope();
        TorchMemory.Write(tensor.detach().contiguous().view(-1).narrow(0, offset / ElementBytes, bytes.Length / ElementBytes), bytes);
    }
}
