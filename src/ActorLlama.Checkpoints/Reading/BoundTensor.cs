using ActorLlama.Model;

namespace ActorLlama.Checkpoints;

/// <summary>A parameter of the model and the place in a weight file where it lies.</summary>
internal sealed record BoundTensor(Parameter Parameter, SafetensorsFile Shard, SafetensorsEntry Entry, ElementType Type)
{
    public bool IsExperts => Parameter.Group == ParameterGroup.Experts;

    /// <summary>Experts, or 1 where the tensor is not divided.</summary>
    public long Slices => IsExperts ? Parameter.Shape[0] : 1;

    public long SliceBytes => Entry.Bytes / Slices;

    /// <summary>The tensor in the mapped file.</summary>
    public StoredTensor Stored() => new(Entry.Name, Type, Entry.Shape, Shard.AddressOf(Entry));
}
