using System.Collections.Immutable;

namespace ActorLlama.Checkpoints;

/// <summary>What a pickle of tensors can hold. Nothing of it ever runs.</summary>
internal abstract record PickleValue
{
    /// <summary>None, true, false.</summary>
    internal sealed record Constant(string Name) : PickleValue;

    internal sealed record Whole(long Value) : PickleValue;

    internal sealed record Text(string Value) : PickleValue;

    internal sealed record Items(ImmutableArray<PickleValue> Values) : PickleValue;

    /// <summary>A dictionary, in the order of its keys' first appearance; filled while the pickle is read.</summary>
    internal sealed record Map(List<KeyValuePair<PickleValue, PickleValue>> Pairs) : PickleValue;

    /// <summary>A class or function that state dicts name.</summary>
    internal sealed record Global(string Name) : PickleValue;

    /// <summary>An entry of the archive that holds elements.</summary>
    internal sealed record Storage(string Type, string Key, long Elements) : PickleValue;

    internal sealed record Tensor(Storage Of, long Offset, ImmutableArray<long> Shape, ImmutableArray<long> Strides) : PickleValue;

    /// <summary>A value that no weight depends on: floats, bytes, lists, streams.</summary>
    internal sealed record Other : PickleValue
    {
        public static Other Value { get; } = new();
    }

    /// <summary>Where a group begins on the stack.</summary>
    internal sealed record Mark : PickleValue
    {
        public static Mark Value { get; } = new();
    }
}
