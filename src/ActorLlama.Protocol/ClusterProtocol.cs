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

    /// <summary>Answered by <see cref="Events"/>.</summary>
    [MessagePackObject]
    public sealed record GetEvents([property: Key(0)] int Reserved = 0) : IClusterMessage;

    /// <summary>
    /// What has happened to the cluster, oldest first, a bounded number. The supervisor tells its nodes too, and a node tells a supervisor that takes over: so nothing is
    /// lost with a supervisor.
    /// </summary>
    [MessagePackObject]
    public sealed record Events([property: Key(0)] ImmutableArray<Event> History) : IClusterMessage;

    /// <summary>One thing that happened. <paramref name="UtcMs"/>: milliseconds since 1970, by the supervisor's clock. <paramref name="Node"/>: whom it met, or "".</summary>
    [MessagePackObject]
    public sealed record Event(
        [property: Key(0)] long UtcMs, [property: Key(1)] EventKind Kind, [property: Key(2)] string Node, [property: Key(3)] string Text);

    /// <summary>
    /// Empty the node of that name, while the cluster serves: what it holds is loaded elsewhere first. <paramref name="Undo"/>: it may hold parts again.
    /// <paramref name="DryRun"/>: only say what would happen. Answered by <see cref="Drained"/>.
    /// </summary>
    [MessagePackObject]
    public sealed record Drain([property: Key(0)] string Node, [property: Key(1)] bool Undo, [property: Key(2)] bool DryRun) : IClusterMessage;

    /// <summary><paramref name="Refusal"/>: why not, or null. <paramref name="Moves"/>: what moves. <paramref name="Pauses"/>: pipelines whose sessions wait while their stages load, as there is no room to load them first.</summary>
    [MessagePackObject]
    public sealed record Drained(
        [property: Key(0)] string? Refusal, [property: Key(1)] ImmutableArray<Move> Moves, [property: Key(2)] ImmutableArray<int> Pauses) : IClusterMessage;

    /// <summary>A stage (<paramref name="Part"/> says which) or a replica of an expert shard that is loaded on a device of that node.</summary>
    [MessagePackObject]
    public sealed record Move([property: Key(0)] string Part, [property: Key(1)] string To, [property: Key(2)] long Bytes);

    /// <summary>
    /// Move parts of the model from the fullest devices to those that hold less, while the cluster serves. <paramref name="DryRun"/>: only say what would happen. <paramref name="Id"/>:
    /// the same when it is sent again for want of an answer; it then has the first one's answer. Answered by <see cref="Rebalanced"/>.
    /// </summary>
    [MessagePackObject]
    public sealed record Rebalance([property: Key(0)] bool DryRun, [property: Key(1)] string Id = "") : IClusterMessage;

    /// <summary>
    /// As <see cref="Drained"/>; with what all nodes hold before and after, and which share of the experts' rows of late the busiest device computes before and after, 0 where too few
    /// were counted.
    /// </summary>
    [MessagePackObject]
    public sealed record Rebalanced(
        [property: Key(0)] string? Refusal,
        [property: Key(1)] ImmutableArray<Move> Moves,
        [property: Key(2)] ImmutableArray<int> Pauses,
        [property: Key(3)] ImmutableArray<NodeBytes> Nodes,
        [property: Key(4)] double BusiestBefore = 0,
        [property: Key(5)] double BusiestAfter = 0) : IClusterMessage;

    /// <summary>Weights, and KV that is reserved, on the devices of a node.</summary>
    [MessagePackObject]
    public sealed record NodeBytes([property: Key(0)] string Node, [property: Key(1)] long BytesBefore, [property: Key(2)] long BytesAfter);

    /// <summary>End the drained node of that name and start it again, as a new member. Answered by <see cref="Restarting"/>, before it ends.</summary>
    [MessagePackObject]
    public sealed record Restart([property: Key(0)] string Node) : IClusterMessage;

    /// <summary><paramref name="Refusal"/>: why not, or null.</summary>
    [MessagePackObject]
    public sealed record Restarting([property: Key(0)] string? Refusal) : IClusterMessage;

    /// <summary>
    /// Write the model as it is now into a new folder, which all nodes find under that full path. Answered by <see cref="SaveStatus"/>; a second one with the same id asks
    /// how far it is.
    /// </summary>
    [MessagePackObject]
    public sealed record Save(
        [property: Key(0)] SaveId Id, [property: Key(1)] string Folder, [property: Key(2)] string Layout) : IClusterMessage;

    /// <summary>Answered by <see cref="SaveStatus"/>; <see cref="SavePhase.Unknown"/> when the supervisor that had it is gone.</summary>
    [MessagePackObject]
    public sealed record GetSave([property: Key(0)] SaveId Id) : IClusterMessage;

    /// <summary>End it, leaving nothing. Answered by <see cref="SaveStatus"/>.</summary>
    [MessagePackObject]
    public sealed record CancelSave([property: Key(0)] SaveId Id) : IClusterMessage;

    /// <summary>How far a save is, or how it ended; <paramref name="Reason"/> is why it failed.</summary>
    [MessagePackObject]
    public sealed record SaveStatus(
        [property: Key(0)] SaveId Id,
        [property: Key(1)] SavePhase Phase,
        [property: Key(2)] long WrittenBytes,
        [property: Key(3)] long TotalBytes,
        [property: Key(4)] string Reason) : IClusterMessage;

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

/// <summary>What kind of thing happened to a cluster.</summary>
public enum EventKind : byte
{
    /// <summary>A node came.</summary>
    Joined = 0,

    /// <summary>A node is no member any more.</summary>
    Lost = 1,

    /// <summary>A supervisor began.</summary>
    Supervisor = 2,

    /// <summary>A new plan was made, or none could be.</summary>
    Planned = 3,

    /// <summary>The cluster's state, or its reason, changed.</summary>
    State = 4,

    /// <summary>A node may not take part, or cannot hold what it was given.</summary>
    Fault = 5,
}

/// <summary>Where a save is.</summary>
public enum SavePhase : byte
{
    /// <summary>The supervisor knows of no such save: it was never begun, is long over, or was another supervisor's.</summary>
    Unknown = 0,

    /// <summary>The folder is being made.</summary>
    Preparing = 1,

    /// <summary>The owners write.</summary>
    Writing = 2,

    /// <summary>All parts are there; they are made one checkpoint.</summary>
    Committing = 3,

    /// <summary>The checkpoint is there.</summary>
    Saved = 4,

    /// <summary>Nothing was saved.</summary>
    Failed = 5,
}
