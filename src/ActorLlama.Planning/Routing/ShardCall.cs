using ActorLlama.Protocol;

namespace ActorLlama.Planning.Routing;

/// <summary>The rows of one layer for one expert shard: where they are, and since when nothing was heard of them.</summary>
internal sealed class ShardCall(ShardGroup group)
{
    public ShardGroup Group { get; } = group;

    /// <summary>Where the latest send went; null while the rows wait to be sent.</summary>
    public Route? Route { get; private set; }

    public int Sends { get; private set; }

    private readonly List<NodeId> _dead = [];

    /// <summary>How many processes died while they had it.</summary>
    public int Deaths => _dead.Count;

    public long NotBeforeMs { get; set; } = long.MinValue;

    public string Fault { get; set; } = "no replica of the shard is loaded";

    /// <summary>When it was sent, or its device was last known to be at work since.</summary>
    private long SignMs { get; set; }

    /// <summary>When its device was asked, after the last sign of it; else null.</summary>
    private long? AskedMs { get; set; }

    /// <summary>The process that it was sent to died meanwhile, as it seems. One process dies once: whoever breaks its lanes again was alive.</summary>
    public void Died()
    {
        if (Route is { Target.Node: var node } && !_dead.Contains(node)) _dead.Add(node);
    }

    public void Send(Route route, long now)
    {
        (Route, SignMs, AskedMs) = (route, now, null);
        Sends++;
    }

    /// <summary>It did not work out there.</summary>
    public LaneTarget Return()
    {
        var target = Route!.Value.Target;
        Route = null;
        return target;
    }

    public void Sign(long now) => (SignMs, AskedMs) = (now, null);

    /// <summary>The device to ask now whether it is at work, or null.</summary>
    public LaneTarget? ToAsk(long now, int deadlineMs)
    {
        if (Route is not { Device: { } device } || AskedMs is not null || now - SignMs < deadlineMs * 2 / 3)
            return null;
        AskedMs = now;
        return device;
    }

    /// <summary>Nothing was heard within the deadline, nor of its device since that was asked.</summary>
    public bool IsLate(long now, int deadlineMs) =>
        Route is { } route && now - SignMs >= deadlineMs && (route.Device is null || (AskedMs is { } asked && now - asked >= deadlineMs / 3));
}
