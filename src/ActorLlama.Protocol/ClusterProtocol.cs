using System.Collections.Immutable;
using MessagePack;

namespace ActorLlama.Protocol;

/// <summary>What anybody may ask of the cluster as a whole; answered by the supervisor.</summary>
public static class ClusterProtocol
{
    /// <summary>Answered by <see cref="Status"/>.</summary>
    [MessagePackObject]
    public sealed record GetStatus([property: Key(0)] int Reserved = 0) : IClusterMessage;

    [MessagePackObject]
    public sealed record Status(
        [property: Key(0)] ClusterState State,
        [property: Key(1)] string Reason,
        [property: Key(2)] PlacementPlan Plan,
        [property: Key(3)] ImmutableArray<NodeProtocol.Offer> Nodes,
        [property: Key(4)] NodeId Supervisor) : IClusterMessage;

    /// <summary>Answered by <see cref="Model"/>, by the contact node itself.</summary>
    [MessagePackObject]
    public sealed record GetModel([property: Key(0)] int Reserved = 0) : IClusterMessage;

    /// <summary>What a client needs to know of the model that is served.</summary>
    [MessagePackObject]
    public sealed record Model(
        [property: Key(0)] string Name,
        [property: Key(1)] NodeProtocol.ModelIdentity Identity,
        [property: Key(2)] ModelShape Shape,
        [property: Key(3)] bool HasTokenizer,
        [property: Key(4)] bool IsInstruct,
        [property: Key(5)] SamplingOptions DefaultSampling,
        [property: Key(6)] int BosId,
        [property: Key(7)] ImmutableArray<int> EosIds) : IClusterMessage;
}
