using System.Collections.Immutable;

namespace ActorLlama.Checkpoints;

/// <summary>A file to be written: its header, then the bytes of its tensors in order, without gaps.</summary>
/// <param name="Name">Its name in the folder.</param>
/// <param name="Header">What comes before the first tensor.</param>
/// <param name="Tensors">Its tensors.</param>
internal sealed record TensorFile(string Name, byte[] Header, ImmutableArray<TensorToWrite> Tensors)
{
    public long Bytes { get; } = Header.Length + Tensors.Sum(tensor => tensor.Bytes);
}
