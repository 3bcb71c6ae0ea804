using System.Collections.Immutable;
using MessagePack;

namespace ActorLlama.Protocol;

/// <summary>Between the supervisor and the nodes that write parts of a checkpoint together.</summary>
public static class SaveProtocol
{
    /// <summary>
    /// To a node: write these parts, which that plan gives to its devices, into the folder, whose journal holds the nonce. Sent again until a <see cref="Report"/>
    /// comes.
    /// </summary>
    [MessagePackObject]
    public sealed record Write(
        [property: Key(0)] SaveId Save,
        [property: Key(1)] long PlanEpoch,
        [property: Key(2)] string Folder,
        [property: Key(3)] string Nonce,
        [property: Key(4)] ImmutableArray<Part> Parts) : IClusterMessage;

    /// <summary>
    /// How far the node is, several times a second until <see cref="End"/>. <paramref name="Files"/>: all it has written, once it has written all.
    /// <paramref name="Fault"/>: why it does not, or null.
    /// </summary>
    [MessagePackObject]
    public sealed record Report(
        [property: Key(0)] SaveId Save,
        [property: Key(1)] NodeId Node,
        [property: Key(2)] long WrittenBytes,
        [property: Key(3)] long TotalBytes,
        [property: Key(4)] ImmutableArray<File>? Files,
        [property: Key(5)] string? Fault) : IClusterMessage;

    /// <summary>To a node: the save is over, well or not. What is still being written is not wanted.</summary>
    [MessagePackObject]
    public sealed record End([property: Key(0)] SaveId Save) : IClusterMessage;

    /// <summary>What one owner writes: stage <paramref name="Index"/> of pipeline 0, or shard <paramref name="Index"/> as its replica 0 has it.</summary>
    [MessagePackObject]
    public sealed record Part(
        [property: Key(0)] PartKind Kind, [property: Key(1)] int Index, [property: Key(2)] DeviceId Device, [property: Key(3)] long WeightBytes)
    {
        /// <summary>What its files are called after.</summary>
        [IgnoreMember]
        public string Name => Kind == PartKind.Stage ? $"stage-{Index:d3}" : $"experts-{Index:d4}";
    }

    /// <summary>A file that is whole and on disk.</summary>
    [MessagePackObject]
    public sealed record File([property: Key(0)] string Name, [property: Key(1)] long Bytes, [property: Key(2)] string Sha256);
}

/// <summary>Of what a part of a checkpoint consists.</summary>
public enum PartKind : byte
{
    /// <summary>Trunk layers, with what lies before the first or after the last.</summary>
    Stage = 0,

    /// <summary>Routed experts of all layers.</summary>
    Experts = 1,
}
