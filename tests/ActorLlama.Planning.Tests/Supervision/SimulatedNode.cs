using System.Collections.Immutable;
using ActorLlama.Protocol;

namespace ActorLlama.Planning.Tests.Supervision;

/// <summary>A node that does what the protocol says: holds what it is assigned, loads when told to.</summary>
internal sealed class SimulatedNode(NodeId id, string name, ModelShape shape, long memoryBytes)
{
    private readonly Dictionary<(int, int), NodeProtocol.HeldStage> _stages = [];
    private readonly Dictionary<(int, int), NodeProtocol.HeldShard> _shards = [];
    private PlacementPlan _plan = PlacementPlan.Empty;
    private long _uids;

    public NodeId Id => id;

    public string Name => name;

    public NodeProtocol.ModelIdentity Model { get; set; } = new(ProtocolVersion.Current, "digest-a", "fingerprint-a");

    public ImmutableArray<string> Roles { get; set; } = [];

    public ImmutableArray<NodeId> LanesLost { get; set; } = [];

    public bool IsLeaving { get; set; }

    /// <summary>Why others should compute what its device holds; null: there is nothing.</summary>
    public string? DeviceFault { get; set; }

    public long PlanEpoch => _plan.Epoch;

    /// <summary>The latest routes by (plan epoch, version), as a node keeps them.</summary>
    public NodeProtocol.Routes? Routes { get; private set; }

    public NodeProtocol.Offer Offer() => new(
        id, name, Roles, [new NodeProtocol.DeviceOffer("cpu:0", memoryBytes, DeviceFault)], new LaneEndpoint($"10.1.0.{id.Uid}", 5000), Model, shape,
        _plan.Epoch, [.. _stages.Values], [.. _shards.Values], new NodeProtocol.NodeCounters(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0), [], [], LanesLost, IsLeaving);

    public void Receive(NodeProtocol.Assign assign)
    {
        if (assign.Plan.Epoch <= _plan.Epoch) return;
        _plan = assign.Plan;
        Assert.Contains(assign.Nodes, n => n.Node == id);
        var mine = _plan.Stages.Concat(_plan.Incoming).Where(s => s.Device.Node == id).ToDictionary(s => (s.Pipeline, s.Index));
        foreach (var key in _stages.Keys.Except(mine.Keys).ToArray()) _stages.Remove(key);
        foreach (var (key, stage) in mine)
        {
            var epoch = _plan.EpochOf(stage);
            if (!_stages.TryGetValue(key, out var held))
                _stages[key] = new NodeProtocol.HeldStage(epoch, stage, null, null, 0, null);
            else if (held.PlanEpoch != epoch)
                _stages[key] = held with { PlanEpoch = epoch, Scheduler = null, Stage = held.PlanEpoch == 0 ? held.Stage : null };
        }

        foreach (var (key, held) in _shards.ToArray())
            if (!_plan.Shards.Any(s => s == held.Placement)) _shards.Remove(key);
    }

    /// <summary>The entity of a shard replica runs here and is told to serve.</summary>
    public void Serve(ShardProtocol.Serve serve)
    {
        var key = (serve.Shard, serve.Replica);
        var placed = _plan.Shards.FirstOrDefault(s => (s.Shard, s.Replica) == key && s.Device.Node == id && s.Epoch == serve.PlanEpoch);
        if (placed is not null && !_shards.ContainsKey(key))
            _shards[key] = new NodeProtocol.HeldShard(placed.Epoch, placed, null, 0, 0, null);
    }

    public void Receive(NodeProtocol.Routes routes)
    {
        if (Routes is { } known && (routes.PlanEpoch, routes.Version).CompareTo((known.PlanEpoch, known.Version)) <= 0) return;
        Routes = routes;
    }

    public void Load()
    {
        foreach (var (key, held) in _stages.ToArray())
            if (held.Stage is null || (key.Item2 == 0 && held is { Scheduler: null, PlanEpoch: > 0 })) LoadStage(key);
        foreach (var (key, held) in _shards.ToArray())
            if (held.Expert is null) LoadShard(key);
    }

    public void LoadStage((int, int) key) => _stages[key] = _stages[key] with
    {
        Stage = Target("stage"),
        Scheduler = key.Item2 == 0 && _stages[key].PlanEpoch > 0 ? Target("scheduler") : null,
        LoadedBytes = _stages[key].Placement.WeightBytes,
        Fault = null,
    };

    public void LoadShard((int, int) key) => _shards[key] = _shards[key] with
    {
        Expert = Target("expert"),
        LoadedBytes = _shards[key].Placement.WeightBytes,
        Fault = null,
    };

    /// <summary>Loading of the first shard or, without one, of the first stage fails.</summary>
    public void Fail(string why, bool isOfDevice = false)
    {
        if (_shards.Count > 0)
        {
            var key = _shards.Keys.Min();
            _shards[key] = _shards[key] with { Expert = null, Fault = why, IsDeviceFault = isOfDevice };
        }
        else
        {
            var key = _stages.Keys.Min();
            _stages[key] = _stages[key] with { Stage = null, Scheduler = null, Fault = why, IsDeviceFault = isOfDevice };
        }
    }

    /// <summary>Each replica here computes so many rows for each of its shard's.</summary>
    public void ComputeRows(Func<int, long> ofShard)
    {
        foreach (var (key, held) in _shards.ToArray()) _shards[key] = held with { RowsComputed = held.RowsComputed + ofShard(key.Item1) };
    }

    private LaneTarget Target(string what) => new(id, $"/user/node/{what}", ++_uids);
}
