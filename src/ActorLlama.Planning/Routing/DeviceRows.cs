using ActorLlama.Protocol;

namespace ActorLlama.Planning.Routing;

/// <summary>How many rows a router has lately given to each device, so that the next go to the one with the fewest.</summary>
/// <remarks>A plain class for one caller at a time: it changes with every call.</remarks>
public sealed class DeviceRows
{
    /// <summary>When one device has so many, all are halved: what lies far back counts little.</summary>
    private const long Many = 1 << 16;

    private readonly Dictionary<LaneTarget, long> _rows = [];

    public long Of(Route route) => _rows.GetValueOrDefault(KeyOf(route));

    public void Give(Route route, int rows)
    {
        var now = _rows[KeyOf(route)] = Of(route) + rows;
        if (now < Many) return;
        foreach (var device in _rows.Keys.ToArray()) _rows[device] /= 2;
    }

    /// <summary>Routes have changed: a device that is new is not to get all until it has had as many as the others.</summary>
    public void Clear() => _rows.Clear();

    private static LaneTarget KeyOf(Route route) => route.Device ?? route.Target;
}
