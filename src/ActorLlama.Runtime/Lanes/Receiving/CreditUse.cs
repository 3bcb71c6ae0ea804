namespace ActorLlama.Runtime.Lanes;

/// <summary>Credit of one target and class that is in use on one connection, as its receiver counts it.</summary>
internal sealed class CreditUse(LaneTargets.Registered target, LaneClass laneClass)
{
    public LaneTargets.Registered Target { get; } = target;

    public LaneClass Class { get; } = laneClass;

    public int Messages { get; set; }

    public long Bytes { get; set; }
}
