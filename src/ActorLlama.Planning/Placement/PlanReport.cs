using System.Collections.Immutable;
using ActorLlama.Protocol;

namespace ActorLlama.Planning.Placement;

/// <summary>
/// What a plan means for people. <paramref name="KvRoomPositions"/>: positions that each pipeline could hold in the memory left beside all
/// weights. <paramref name="WireBytesPerToken"/> and <paramref name="WireMessagesPerToken"/>: payload bytes and messages between nodes for one
/// decoded token, when every expert is chosen equally often; the mean over pipelines.
/// </summary>
public sealed record PlanReport(
    ImmutableArray<DeviceFigures> Devices,
    long KvRoomPositions,
    double WireBytesPerToken,
    double WireMessagesPerToken,
    ImmutableArray<NodeLoss> Losses);

/// <summary>What a device holds, in bytes.</summary>
public sealed record DeviceFigures(
    DeviceId Device, string NodeName, string Host, long MemoryBytes, long StageBytes, long KvBytes, long ShardBytes)
{
    public long FreeBytes => MemoryBytes - StageBytes - KvBytes - ShardBytes;
}

/// <summary>
/// What happens when a node dies. <paramref name="Survives"/>: the other nodes are a majority and can hold the model. <paramref name="Pauses"/>: something has to be
/// loaded before decoding goes on. <paramref name="ReloadBytes"/>: weights to load again, also for replicas. <paramref name="Reason"/>: why
/// it does not survive, or empty.
/// </summary>
public sealed record NodeLoss(string NodeName, bool Survives, bool Pauses, long ReloadBytes, string Reason);
