using System.Collections.Immutable;
using MessagePack;

namespace ActorLlama.Protocol;

/// <summary>Between a node and the supervisor: what a node offers, what it is to hold, and what it holds.</summary>
public static class NodeProtocol
{
    /// <summary>
    /// Sent by every node to the supervisor, again every second: what it has and what it holds. Answered by <see cref="Assign"/> once
    /// there is a plan, or <see cref="Refused"/>. <paramref name="LanesLost"/>: nodes of the plan with which it has had no lane for a while.
    /// <paramref name="Processors"/>: those of its machine, which other processes there may use as well; 0: not known.
    /// </summary>
    [MessagePackObject]
    public sealed record Offer(
        [property: Key(0)] NodeId Node,
        [property: Key(1)] string Name,
        [property: Key(2)] ImmutableArray<string> Roles,
        [property: Key(3)] ImmutableArray<DeviceOffer> Devices,
        [property: Key(4)] LaneEndpoint Lane,
        [property: Key(5)] ModelIdentity Model,
        [property: Key(6)] ModelShape Shape,
        [property: Key(7)] long PlanEpoch,
        [property: Key(8)] ImmutableArray<HeldStage> Stages,
        [property: Key(9)] ImmutableArray<HeldShard> Shards,
        [property: Key(10)] NodeCounters Counters,
        [property: Key(11)] ImmutableArray<ExpertRows> ExpertRows,
        [property: Key(12)] ImmutableArray<PipelineLoad> Pipelines,
        [property: Key(13)] ImmutableArray<NodeId>? LanesLost = null,
        [property: Key(14)] bool IsLeaving = false,
        [property: Key(15)] int Processors = 0) : IClusterMessage
    {
        /// <summary>Whether that is the node's name, or its HOST:PORT.</summary>
        public bool IsCalled(string text) => Name == text || Node.HostAndPort == text;

        /// <summary>Bytes of all weights that it holds.</summary>
        public long LoadedBytes() => Stages.Sum(s => s.LoadedBytes) + Shards.Sum(s => s.LoadedBytes);
    }

    /// <summary>To a node: it is to hold nothing any more, or may again. It says so in its offers, where every supervisor finds it.</summary>
    [MessagePackObject]
    public sealed record Leave([property: Key(0)] bool IsLeaving) : IClusterMessage;

    /// <summary>To a node that holds nothing: it is to leave, and its process to start again and join as another.</summary>
    [MessagePackObject]
    public sealed record Restart([property: Key(0)] int Reserved = 0) : IClusterMessage;

    /// <summary>From a supervisor to a node that it has not heard of. Answered by <see cref="Offer"/>, at once.</summary>
    [MessagePackObject]
    public sealed record GetOffer([property: Key(0)] int Reserved = 0) : IClusterMessage;

    /// <summary>From a node that did not run for a while, to all members: is it one of them still? Answered by <see cref="Membership"/>.</summary>
    [MessagePackObject]
    public sealed record GetMembership([property: Key(0)] NodeId Node, [property: Key(1)] long Question) : IClusterMessage;

    [MessagePackObject]
    public sealed record Membership([property: Key(0)] long Question, [property: Key(1)] bool IsMember) : IClusterMessage;

    /// <summary>To the supervisor: that node's process is gone, its ports refuse connections. Its membership ends now. Not answered.</summary>
    [MessagePackObject]
    public sealed record Gone([property: Key(0)] NodeId Node) : IClusterMessage;

    /// <summary>The node cannot serve here; it says so in its log and its offer is not planned with.</summary>
    [MessagePackObject]
    public sealed record Refused([property: Key(0)] string Reason) : IClusterMessage;

    /// <summary>
    /// Hold what this plan gives you; lanes go to these nodes. An epoch at or below the node's own is ignored. <paramref name="DevicesAtOnce"/>: how many devices of each pipeline can
    /// compute at the same time.
    /// </summary>
    [MessagePackObject]
    public sealed record Assign(
        [property: Key(0)] PlacementPlan Plan, [property: Key(1)] ImmutableArray<NodeAddress> Nodes, [property: Key(2)] ImmutableArray<int> DevicesAtOnce) : IClusterMessage;

    /// <summary>
    /// Where everything loaded is now. Sent to all nodes at every change; routes of a lower plan epoch are ignored. Sent again every second,
    /// with the loads of that time.
    /// </summary>
    [MessagePackObject]
    public sealed record Routes(
        [property: Key(0)] long PlanEpoch,
        [property: Key(1)] long Version,
        [property: Key(2)] ClusterState State,
        [property: Key(3)] string Reason,
        [property: Key(4)] ImmutableArray<HeldStage> Stages,
        [property: Key(5)] ImmutableArray<HeldShard> Shards,
        [property: Key(6)] ImmutableArray<PipelineLoad> Loads) : IClusterMessage;

    /// <summary>
    /// A device and its memory. <paramref name="Fault"/>: why others should compute what it holds, though it holds it; null: there is nothing. <paramref name="Threads"/>: how many of its
    /// machine's processors it computes on; 0: it has its own, as a GPU does.
    /// </summary>
    [MessagePackObject]
    public sealed record DeviceOffer(
        [property: Key(0)] string Name, [property: Key(1)] long MemoryBytes, [property: Key(2)] string? Fault = null, [property: Key(3)] int Threads = 0);

    [MessagePackObject]
    public sealed record NodeAddress(
        [property: Key(0)] NodeId Node, [property: Key(1)] string Name, [property: Key(2)] LaneEndpoint Lane);

    /// <summary>What must be equal on all nodes of a cluster.</summary>
    [MessagePackObject]
    public sealed record ModelIdentity(
        [property: Key(0)] int ProtocolVersion,
        [property: Key(1)] string CheckpointDigest,
        [property: Key(2)] string NumericFingerprint);

    /// <summary>
    /// A stage on its device, which tells as <paramref name="Device"/> whether it is at work. <paramref name="Stage"/> and <paramref name="Scheduler"/> (stage 0 only; null otherwise) are their lane
    /// targets, null until loaded. <paramref name="Fault"/>: why loading failed, or null. <paramref name="IsDeviceFault"/>: it was the device or its disk, not what was to be
    /// loaded: another device may do.
    /// </summary>
    [MessagePackObject]
    public sealed record HeldStage(
        [property: Key(0)] long PlanEpoch,
        [property: Key(1)] StagePlacement Placement,
        [property: Key(2)] LaneTarget? Stage,
        [property: Key(3)] LaneTarget? Scheduler,
        [property: Key(4)] long LoadedBytes,
        [property: Key(5)] string? Fault,
        [property: Key(6)] LaneTarget? Device = null,
        [property: Key(7)] bool IsDeviceFault = false);

    /// <summary>
    /// An expert-shard replica that an ExpertShardActor owns the right to serve, with its epoch; target null until loaded. Device, IsDeviceFault: as for a stage.
    /// </summary>
    [MessagePackObject]
    public sealed record HeldShard(
        [property: Key(0)] long RouteEpoch,
        [property: Key(1)] ShardPlacement Placement,
        [property: Key(2)] LaneTarget? Expert,
        [property: Key(3)] long LoadedBytes,
        [property: Key(4)] long RowsComputed,
        [property: Key(5)] string? Fault,
        [property: Key(6)] LaneTarget? Device = null,
        [property: Key(7)] bool IsDeviceFault = false);

    /// <summary>
    /// Rows that a replica has computed since it was loaded. <c>Rows[m·E + e]</c>: of its expert e (of E) in the m-th MoE layer of the model; empty
    /// where that would be more than <see cref="MaxExpertCounters"/>.
    /// </summary>
    [MessagePackObject]
    public sealed record ExpertRows(
        [property: Key(0)] int Shard, [property: Key(1)] int Replica, [property: Key(2)] ImmutableArray<long> Rows);

    /// <summary>Counters that a replica reports at most, so that an offer stays small.</summary>
    public const int MaxExpertCounters = 1 << 15;

    /// <summary>
    /// What the scheduler of a pipeline holds now, on the node of its stage 0, and what it has done since the pipeline was formed.
    /// </summary>
    /// <param name="Pipeline">The pipeline's number in the plan.</param>
    /// <param name="Epoch">The epoch of its stages.</param>
    /// <param name="Running">Sequences that are let in.</param>
    /// <param name="MaxRunning">The most that may be.</param>
    /// <param name="Waiting">Sequences that wait to be.</param>
    /// <param name="BatchesInFlight">Batches that its stages have.</param>
    /// <param name="Whole">KV blocks of the layers that see the whole context.</param>
    /// <param name="Chunked">KV blocks of the layers that see a chunk of it.</param>
    /// <param name="SharedBlocks">Blocks that several running sequences hold.</param>
    /// <param name="ReusedPositions">Positions that were taken over from others instead of computed.</param>
    /// <param name="Preemptions">How often KV was taken from a running sequence.</param>
    /// <param name="Busy">How many sessions were told that too many wait.</param>
    [MessagePackObject]
    public sealed record PipelineLoad(
        [property: Key(0)] int Pipeline,
        [property: Key(1)] long Epoch,
        [property: Key(2)] int Running,
        [property: Key(3)] int MaxRunning,
        [property: Key(4)] int Waiting,
        [property: Key(5)] int BatchesInFlight,
        [property: Key(6)] KvBlocks Whole,
        [property: Key(7)] KvBlocks Chunked,
        [property: Key(8)] long SharedBlocks,
        [property: Key(9)] long ReusedPositions,
        [property: Key(10)] long Preemptions,
        [property: Key(11)] long Busy);

    /// <summary>
    /// Blocks of 64 positions. Used: by running sequences, shared ones once. Held: those too that are only kept for prompts that begin alike.
    /// Total: given by the plan.
    /// </summary>
    [MessagePackObject]
    public readonly record struct KvBlocks([property: Key(0)] long Used, [property: Key(1)] long Held, [property: Key(2)] long Total);

    /// <summary>
    /// Running totals of a node's process. Of its memory: bytes that are resident, those of them that are its own and no file's, those of
    /// managed objects. <paramref name="StageMicros"/>, <paramref name="ExpertMicros"/>: microseconds that its devices' threads have spent in
    /// stages (attention, dense and shared layers) and in routed experts.
    /// </summary>
    [MessagePackObject]
    public sealed record NodeCounters(
        [property: Key(0)] long LaneBytesSent,
        [property: Key(1)] long LaneBytesReceived,
        [property: Key(2)] long LivePayloads,
        [property: Key(3)] long LiveActivations,
        [property: Key(4)] long KvBytes,
        [property: Key(5)] int Sessions,
        [property: Key(6)] long WorkingSetBytes,
        [property: Key(7)] long PrivateBytes,
        [property: Key(8)] long ManagedBytes,
        [property: Key(9)] int Handles,
        [property: Key(10)] long StageMicros,
        [property: Key(11)] long ExpertMicros);
}

/// <summary>What the cluster can do now.</summary>
public enum ClusterState : byte
{
    /// <summary>Too few nodes or devices have offered themselves yet.</summary>
    Forming = 0,

    /// <summary>A plan exists; weights are being loaded.</summary>
    Loading = 1,

    /// <summary>Every stage and expert shard is loaded.</summary>
    Ready = 2,

    /// <summary>Serving while shards move.</summary>
    Rebalancing = 3,

    /// <summary>What is left cannot hold the model, or loading failed; sessions wait, bounded.</summary>
    Degraded = 4,
}
