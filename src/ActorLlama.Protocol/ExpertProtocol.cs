using System.Collections.Immutable;
using MessagePack;

namespace ActorLlama.Protocol;

/// <summary>On the lane: what a router asks of an expert shard, and every answer it can get.</summary>
public static class ExpertProtocol
{
    /// <summary>
    /// Run expert Experts[i] over row i of the payload [rows, D]. <paramref name="RouteEpoch"/> is that of the route it was sent by. Answered by
    /// <see cref="Ran"/> or <see cref="Refused"/>.
    /// </summary>
    [MessagePackObject]
    public sealed record Run(
        [property: Key(0)] CallId Call, [property: Key(1)] long RouteEpoch, [property: Key(2)] ImmutableArray<int> Experts) : ILaneMessage;

    /// <summary>The rows' results, in the order they came; payload [rows, D].</summary>
    [MessagePackObject]
    public sealed record Ran([property: Key(0)] CallId Call) : ILaneMessage;

    [MessagePackObject]
    public sealed record Refused(
        [property: Key(0)] CallId Call, [property: Key(1)] RefusalReason Reason, [property: Key(2)] string Message) : ILaneMessage;
}
