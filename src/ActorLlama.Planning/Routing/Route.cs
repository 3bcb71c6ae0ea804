using ActorLlama.Protocol;

namespace ActorLlama.Planning.Routing;

/// <summary>
/// A loaded replica of an expert shard; <paramref name="Epoch"/> goes into the calls to it. <paramref name="Device"/> tells whether it is at work.
/// </summary>
public readonly record struct Route(int Shard, int Replica, LaneTarget Target, long Epoch, LaneTarget? Device);
