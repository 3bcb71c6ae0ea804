using System.Collections.Immutable;
using ActorLlama.Planning.Sessions;
using ActorLlama.Protocol;

namespace ActorLlama.Planning.Routing;

/// <summary>
/// Where the loaded replicas of each expert shard are, as one node knows it. Replaced as a whole by newer routes; targets that failed are
/// passed over until newer routes come, or until they have rested when nothing else is left.
/// </summary>
public sealed record RouteTable
{
    private const int MaxDoublings = 4;

    private ImmutableDictionary<int, ImmutableArray<Placed>> _routes = ImmutableDictionary<int, ImmutableArray<Placed>>.Empty;
    private ImmutableDictionary<LaneTarget, Failure> _failed = ImmutableDictionary<LaneTarget, Failure>.Empty;

    /// <summary>An empty table of a node: every pick is null until routes come.</summary>
    /// <param name="local">The node that routes: its own replicas come first.</param>
    /// <param name="restMs">
    /// How long a failed target is left alone when its shard has no other: a lane that broke once must not shut out a healthy shard for good.
    /// About: it is drawn. Doubled at each failure in a row, up to 16 times: a node that died is not to use up all sends before its shard is loaded elsewhere.
    /// </param>
    public RouteTable(NodeId local, int restMs)
    {
        Local = local;
        RestMs = restMs;
    }

    public NodeId Local { get; }

    public int RestMs { get; }

    public long PlanEpoch { get; private init; }

    public long Version { get; private init; }

    /// <summary>The table with these routes, or this table when they are not newer: by plan epoch, then by version.</summary>
    public RouteTable With(NodeProtocol.Routes routes)
    {
        if (routes.PlanEpoch < PlanEpoch || (routes.PlanEpoch == PlanEpoch && routes.Version <= Version))
            return this;
        var local = Local;
        var loaded = routes.Shards
            .Where(s => s.Expert is not null && s.Fault is null)
            .Select(s => new Route(s.Placement.Shard, s.Placement.Replica, s.Expert!.Value, s.RouteEpoch, s.Device, s.Placement.FirstExpert, s.Placement.Experts))
            .GroupBy(r => (r.Shard, r.Replica))
            .Select(replica => replica.MaxBy(r => r.Epoch))
            .GroupBy(r => r.Shard)
            .ToImmutableDictionary(
                shard => shard.Key,
                shard => shard.Select(r => new Placed(r, Distance(local, r))).OrderBy(p => p.Distance).ThenBy(p => p.Route.Replica).ToImmutableArray());
        return this with
        {
            PlanEpoch = routes.PlanEpoch,
            Version = routes.Version,
            _routes = loaded,
            _failed = ImmutableDictionary<LaneTarget, Failure>.Empty,
        };
    }

    /// <summary>
    /// The replica to call: on the own node, else on the own host, else any; of equally near ones that on the device with the fewest rows, then the lowest. One that failed only when all
    /// did, the one whose rest ended first. Null: none is loaded, or all are resting.
    /// </summary>
    /// <param name="group">The rows; a replica of their shard that does not hold their experts, as another plan divides them otherwise, is none.</param>
    /// <param name="now">Milliseconds.</param>
    /// <param name="given">What devices have been given; null: the lowest of the nearest.</param>
    public Route? Pick(ShardGroup group, long now, DeviceRows? given)
    {
        Route? rested = null, nearest = null;
        var (since, near) = (long.MaxValue, int.MaxValue);
        foreach (var (route, distance) in Loaded(group.Shard))
        {
            if (!route.Holds(group)) continue;
            if (_failed.TryGetValue(route.Target, out var failed))
            {
                var ready = failed.AtMs + failed.RestMs;
                if (now >= ready && ready < since) (rested, since) = (route, ready);
            }
            else if (nearest is not { } known) (nearest, near) = (route, distance);
            else if (distance > near) break;
            else if (given is not null && given.Of(route) < given.Of(known)) nearest = route;
        }

        return nearest ?? rested;
    }

    /// <summary>Whether the rows' shard holds other experts by now than those rows want.</summary>
    public bool DividesOtherwise(ShardGroup group) => Loaded(group.Shard) is [var (route, _), ..] && !route.Holds(group);

    /// <summary>The table in which this target has failed just now.</summary>
    /// <param name="target">Whom a call failed at.</param>
    /// <param name="now">Milliseconds.</param>
    /// <param name="random">Draws the rest from its upper half, so that nodes whose calls failed together do not call together again; null: the whole rest.</param>
    public RouteTable Fail(LaneTarget target, long now, Random? random = null)
    {
        var inARow = _failed.TryGetValue(target, out var last) && now - last.AtMs < 4 * RestAfter(MaxDoublings + 1) ? last.InARow + 1 : 1;
        var rest = new BackOff(RestMs, (int)Math.Min((long)RestMs << MaxDoublings, int.MaxValue));
        return this with { _failed = _failed.SetItem(target, new(now, inARow, rest.DelayMs(inARow - 1, random))) };
    }

    /// <summary>Whether a loaded replica of the shard is there, apart from failures.</summary>
    public bool Holds(int shard) => Loaded(shard).Length > 0;

    private static int Distance(NodeId local, Route route) => route.Target.Node == local ? 0 : route.Target.Node.Host == local.Host ? 1 : 2;

    private long RestAfter(int inARow) => (long)RestMs << Math.Min(inARow - 1, MaxDoublings);

    private ImmutableArray<Placed> Loaded(int shard) => _routes.GetValueOrDefault(shard, []);

    /// <summary>Distance: 0 on the own node, 1 on the own host, 2 elsewhere.</summary>
    private readonly record struct Placed(Route Route, int Distance);

    private readonly record struct Failure(long AtMs, int InARow, long RestMs);
}
