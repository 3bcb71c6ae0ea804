using System.Collections.Immutable;
using ActorLlama.Planning.Sessions;
using ActorLlama.Protocol;

namespace ActorLlama.Planning.Routing;

/// <summary>
/// The expert calls of one layer of one batch attempt: what is outstanding at which shard, and what to send again where (design section
/// 5: the router is the one place that retries expert calls). Every answer is used once, or ignored; the layer ends in
/// <see cref="ExpertCallEffect.Complete"/> or <see cref="ExpertCallEffect.Fail"/>, once, within its deadline.
/// </summary>
/// <remarks>A plain class for one caller at a time: it lives for one layer, and its few fields change with every answer.</remarks>
public sealed class ExpertCallState
{
    private readonly ExpertCallOptions _options;
    private readonly BatchId _batch;
    private readonly int _layer;
    private readonly long _startedMs;
    private readonly DeviceRows? _given;
    private readonly Random? _random;
    private readonly long _planEpoch;
    private long _deadlineMs;
    private readonly SortedDictionary<int, ShardCall> _open = [];

    /// <param name="batch">The batch.</param>
    /// <param name="layer">The layer.</param>
    /// <param name="groups">Its rows.</param>
    /// <param name="options">Bounds.</param>
    /// <param name="now">Milliseconds.</param>
    /// <param name="planEpoch">Of the plan whose shards the rows are grouped by. A later one may divide the experts otherwise: then the batch is to be run again, grouped anew.</param>
    /// <param name="given">What the router has given to devices, counted here; null: not counted.</param>
    /// <param name="random">Draws how long rows rest before a busy shard is asked again; null: the longest.</param>
    public ExpertCallState(
        BatchId batch, int layer, ImmutableArray<ShardGroup> groups, ExpertCallOptions options, long now, long planEpoch, DeviceRows? given = null, Random? random = null)
    {
        _given = given;
        _random = random;
        _planEpoch = planEpoch;
        _options = options;
        _batch = batch;
        _layer = layer;
        _startedMs = now;
        _deadlineMs = now + options.LayerDeadlineMs;
        foreach (var group in groups)
            _open.Add(group.Shard, new(group));
    }

    /// <summary>Whether the layer is complete, failed or aborted; everything after that is ignored.</summary>
    public bool IsOver { get; private set; }

    /// <summary>Sends all groups whose shard has a route; the others wait for one. A layer without rows is complete at once.</summary>
    public ImmutableArray<ExpertCallEffect> Start(RouteTable routes, long now)
    {
        if (IsOver || _open.Count > 0)
            return [.. SendWaiting(routes, now)];
        IsOver = true;
        return [new ExpertCallEffect.Complete()];
    }

    /// <summary>
    /// Rows came back. Ignored unless they answer the latest send of their shard; one that had been given up but is not sent again yet counts.
    /// </summary>
    public ImmutableArray<ExpertCallEffect> Ran(CallId id)
    {
        if (Current(id) is not { } call)
            return [new ExpertCallEffect.Ignore()];
        _open.Remove(id.Shard);
        var place = new ExpertCallEffect.Place(call.Group.Rows);
        if (_open.Count > 0)
            return [place];
        IsOver = true;
        return [place, new ExpertCallEffect.Complete()];
    }

    /// <summary>
    /// The expert did not compute; also to be called for an answer that cannot be used, of a wrong size say. Invalid fails the batch. The
    /// rows of a busy one go to another replica or to the same one later; those of any other to another replica, or wait for a route. Poisonous: the target's process died
    /// while it had them; rows that were there twice, or once when their batch has been suspected before, are not sent again.
    /// </summary>
    public ImmutableArray<ExpertCallEffect> Refused(CallId id, RefusalReason reason, string message, RouteTable routes, long now)
    {
        if (Current(id) is not { Route: not null } call)
            return [new ExpertCallEffect.Ignore()];
        call.Fault = $"refused with {reason}: {message}";
        if (reason == RefusalReason.Poisonous)
            call.Died();
        if (reason == RefusalReason.Invalid || (reason == RefusalReason.Poisonous && call.Deaths >= (_batch.Attempt > 1 ? 1 : 2)))
            return [Failure(reason, call)];
        if (reason != RefusalReason.Busy)
            return [.. Again([call], routes, now)];
        if (routes.Fail(call.Return(), now).Pick(call.Group, now, _given) is { } other)
            return [SendTo(other, call, now)];
        call.NotBeforeMs = now + new BackOff(_options.BusyMs, _options.LayerDeadlineMs).DelayMs(call.Sends - 1, _random);
        return [];
    }

    /// <summary>The lane's end says that this target is gone, or the lane to it broke: its rows are sent elsewhere, or wait.</summary>
    public ImmutableArray<ExpertCallEffect> Lost(LaneTarget target, RouteTable routes, long now)
    {
        var calls = _open.Values.Where(c => c.Route?.Target == target).ToList();
        if (IsOver || calls.Count == 0)
            return [];
        foreach (var call in calls)
            call.Fault = $"the lane to {target.Node} broke";
        return [.. Again(calls, routes, now)];
    }

    /// <summary>New routes: what waits for one is sent. Calls under way go on, as a replica that moves drains first.</summary>
    public ImmutableArray<ExpertCallEffect> RoutesChanged(RouteTable routes, long now) => [.. SendWaiting(routes, now)];

    /// <summary>Deadlines. Call it several times within the shortest of them.</summary>
    public ImmutableArray<ExpertCallEffect> Tick(RouteTable routes, long now)
    {
        if (IsOver)
            return [];
        if (now >= _deadlineMs)
            return [Failure(RefusalReason.Failed, _open.Values.First())];
        var late = _open.Values.Where(c => c.IsLate(now, _options.CallDeadlineMs)).ToList();
        foreach (var call in late)
            call.Fault = $"no answer from {call.Route!.Value.Target.Node} within {_options.CallDeadlineMs} ms";
        var effects = Again(late, routes, now);
        if (!IsOver)
            effects.AddRange(_open.Values.Select(c => c.ToAsk(now, _options.CallDeadlineMs)).OfType<LaneTarget>().Distinct().Select(d => new ExpertCallEffect.Ask(d)));
        return [.. effects];
    }

    /// <summary>That device is at work: its calls are waiting there, not lost. A layer may wait so for a bounded time.</summary>
    public ImmutableArray<ExpertCallEffect> AtWork(LaneTarget device, long now)
    {
        var there = _open.Values.Where(c => c.Route?.Device == device).ToList();
        return there.Count > 0 && Sign(there, now) ? [new ExpertCallEffect.Alive()] : [];
    }

    /// <summary>Nothing could be heard until now, because the router's own thread was at work: the deadlines begin anew.</summary>
    public void WasDeaf(long now) => Sign(_open.Values, now);

    /// <summary>The batch is given up from elsewhere: every later answer is ignored.</summary>
    public void Abort() => IsOver = true;

    private bool Sign(IEnumerable<ShardCall> calls, long now)
    {
        if (IsOver || now - _startedMs >= _options.WorkLimitMs)
            return false;
        foreach (var call in calls)
            call.Sign(now);
        _deadlineMs = now + _options.LayerDeadlineMs;
        return true;
    }

    private ShardCall? Current(CallId id) =>
        !IsOver && id.Batch == _batch && id.Layer == _layer && _open.TryGetValue(id.Shard, out var call)
            && call.Sends > 0 && id.Resend == call.Sends - 1
            ? call
            : null;

    /// <summary>Marks the targets of these calls, then sends all that waits.</summary>
    private List<ExpertCallEffect> Again(List<ShardCall> calls, RouteTable routes, long now)
    {
        List<ExpertCallEffect> effects = [];
        foreach (var call in calls)
        {
            var target = call.Return();
            if (effects.Contains(new ExpertCallEffect.MarkFailed(target)))
                continue;
            effects.Add(new ExpertCallEffect.MarkFailed(target));
            routes = routes.Fail(target, now);
        }

        effects.AddRange(SendWaiting(routes, now));
        return effects;
    }

    private List<ExpertCallEffect> SendWaiting(RouteTable routes, long now)
    {
        List<ExpertCallEffect> effects = [];
        if (IsOver)
            return effects;
        foreach (var call in _open.Values)
        {
            if (call.Route is not null)
                continue;
            if (routes.PlanEpoch > _planEpoch && routes.DividesOtherwise(call.Group))
            {
                call.Fault = $"plan {routes.PlanEpoch} divides the experts otherwise than plan {_planEpoch}";
                return [Failure(RefusalReason.Failed, call)];
            }

            if (now < call.NotBeforeMs || routes.Pick(call.Group, now, _given) is not { } route)
                continue;
            effects.Add(SendTo(route, call, now));
            if (IsOver)
                break;
        }

        return effects;
    }

    private ExpertCallEffect SendTo(Route route, ShardCall call, long now)
    {
        if (call.Sends == _options.MaxSends)
            return Failure(RefusalReason.Failed, call);
        call.Send(route, now);
        _given?.Give(route, call.Group.Rows.Length);
        return new ExpertCallEffect.Send(new(_batch, _layer, call.Group.Shard, call.Sends - 1), route, call.Group);
    }

    private ExpertCallEffect.Fail Failure(RefusalReason reason, ShardCall call)
    {
        IsOver = true;
        return new(
            reason,
            $"Experts: layer {_layer}, shard {call.Group.Shard}, {call.Group.Rows.Length} rows, sent {call.Sends} times: {call.Fault}");
    }
}
