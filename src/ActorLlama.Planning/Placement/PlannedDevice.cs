using ActorLlama.Protocol;

namespace ActorLlama.Planning.Placement;

/// <summary>
/// A device that may hold parts of the model. <paramref name="MemoryBytes"/> is its budget for weights and KV. <paramref name="Trunk"/>: it
/// may hold stages; <paramref name="Experts"/>: it may hold expert shards. <paramref name="IsLeaving"/>: it holds what it held, and gets nothing.
/// </summary>
public sealed record PlannedDevice(DeviceId Id, string NodeName, string Host, long MemoryBytes, bool Trunk, bool Experts, bool IsLeaving = false);
