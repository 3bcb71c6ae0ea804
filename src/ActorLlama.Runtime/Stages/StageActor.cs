using ActorLlama.Checkpoints;
using ActorLlama.Model;
using ActorLlama.Protocol;
using ActorLlama.Runtime.Devices;
using ActorLlama.Runtime.Lanes;
using ActorLlama.Runtime.Nodes;
using ActorLlama.Runtime.Saving;
using Akka.Actor;

namespace ActorLlama.Runtime.Stages;

/// <summary>
/// Layers of the trunk of one pipeline and their KV caches; runs batches layer by layer on its device's thread, yielding after each layer
/// and while experts compute. Loading -> Serving; it ends when its device is told to drop it.
/// </summary>
internal sealed class StageActor : DeviceWorker
{
    private readonly NodeContext _node;
    private readonly NodeDevice _device;
    private readonly StagePlacement _placement;
    private readonly Dictionary<BatchId, BatchRun> _running = [];
    private readonly IActorRef _router;
    private readonly StageLinks _links;
    private SequenceCaches? _caches;
    private WeightLoad<TrunkStage>? _load;
    private PartWrite? _writing;
    private TrunkStage? _stage;
    private LaneTarget? _self;
    private long _pipelineEpoch;

    public StageActor(NodeContext node, NodeDevice device, StagePlacement placement)
        : base(device, node.Gauges.AddStageTime)
    {
        (_node, _device, _placement) = (node, device, placement);
        _links = new StageLinks(node, device, placement, Self);
        _router = Context.ActorOf(ExpertRouter.Props(node, device).WithDispatcher(device.Dispatcher), "router");
    }

    public static Props Props(NodeContext node, NodeDevice device, StagePlacement placement) =>
        Akka.Actor.Props.Create(() => new StageActor(node, device, placement));

    private sealed record Continue(BatchId Batch) : INoSerializationVerificationNeeded;

    protected override void PreStart() => _load = WeightLoad<TrunkStage>.Start(
        _device.Loader, Self, _node.Time, _node.Model.AllowNaN,
        loading => TrunkStage.Load(
            _device.Backend, _node.Model.Config, new LayerRange(_placement.FirstLayer, _placement.Layers), _node.Model.Checkpoint, loading), Report);

    protected override void OnReceive(object message) => Loading(message);

    private void Loading(object message)
    {
        switch (message)
        {
            case LoadMessage load: Serve(_load!.Receive(load)); break;
            case PartProtocol.Write write: Sender.Tell(new PartProtocol.Failed(write.Folder, write.Part, "it is still loading")); break;
            case DeviceProtocol.Wire wire: _pipelineEpoch = wire.PipelineEpoch; break;
            case LaneEnvelope { Message: StageProtocol.Run run } envelope:
                envelope.Payload?.Dispose();
                _links.Failed(run, RefusalReason.Loading, "it is still loading");
                break;
            default: Unhandled(message); break;
        }
    }

    private void Serving(object message)
    {
        switch (message)
        {
            case LaneEnvelope { Message: StageProtocol.Run run } envelope: Start(run, envelope.Payload); break;
            case LaneEnvelope { Message: StageProtocol.Free free }: Free(free); break;
            case Continue next: WithRun(next.Batch, Advance); break;
            case RouterProtocol.Dispatched dispatched: WithRun(dispatched.Batch, run => CatchUp(run, dispatched.Layer)); break;
            case RouterProtocol.Gathered gathered: Combine(gathered); break;
            case RouterProtocol.Lost lost: WithRun(lost.Batch, run => Fail(run, lost.Reason, lost.Message)); break;
            case DeviceProtocol.Wire wire: Wire(wire.PipelineEpoch); break;
            case RouterProtocol.RanOut ranOut: WithRun(ranOut.Batch, run => FallShort(run, ranOut.Why)); break;
            case RouterProtocol.Alive alive: WithRun(alive.Batch, _links.Progress); break;
            case LaneFailed { Message: StageProtocol.Run run } failed: _links.Failed(run, RefusalReason.NotReady, $"the next stage is out of reach ({failed.Reason})"); break;
            case PartProtocol.Write write: _writing = PartWrite.Start(_device, write, Sender, _node.Time, Contents); break;
            case LaneFailed: break; // An answer the scheduler could not get: its deadline covers it.
            default: Unhandled(message); break;
        }
    }

    protected override void PreRestart(Exception reason, object message)
    {
        foreach (var run in _running.Values) _links.Failed(run.Message, RefusalReason.Failed, reason.Message);
        base.PreRestart(reason, message);
    }

    protected override void PostStop()
    {
        if (_self is { } self) _node.Lane.Unregister(self);
        DropRuns();
        _caches?.Dispose();
        _load?.Dispose();
        _writing?.Dispose();
        if (_stage is { } stage) _device.Loader.Free(stage);
    }

    private void Serve(TrunkStage? stage)
    {
        if (stage is null) return;
        _stage = stage;
        _caches = new SequenceCaches(_stage.NewCache);
        // After a restart nobody wires the stage again: the board has the epoch.
        if (_node.Board.Plan is { } plan && _placement.Pipeline < plan.PipelineEpochs.Length) _pipelineEpoch = plan.EpochOf(_placement);
        _self = _node.Lane.Register(Self);
        Become(Serving);
        Report(_stage.Bytes, null);
    }

    /// <summary>The pipeline has other stages now: what was computed with the old ones is void.</summary>
    private void Wire(long epoch)
    {
        if (epoch != _pipelineEpoch)
        {
            _pipelineEpoch = epoch;
            DropRuns();
            _router.Tell(new RouterProtocol.Forget(null));
            _caches!.Dispose();
        }

        Report(_stage!.Bytes, null);
    }

    private void Start(StageProtocol.Run message, Payload? payload)
    {
        using (payload)
        {
            if (message.Batch.Plan < _pipelineEpoch) return;
            if (message.Batch.Plan > _pipelineEpoch || message.Batch.Pipeline != _placement.Pipeline)
            {
                _links.Failed(message, RefusalReason.Stale, $"it is wired to epoch {_pipelineEpoch}, not {message.Batch.Plan} of pipeline {message.Batch.Pipeline}");
                return;
            }

            foreach (var older in _running.Keys.Where(b => b.Number == message.Batch.Number).ToArray()) Drop(older);
            _caches!.Free(message.Freed);
            if (_caches.TryRows(message.Sequences, message.Ids, out var reason) is not { } rows)
            {
                _links.Failed(message, RefusalReason.Unknown, reason);
                return;
            }

            var run = new BatchRun(message, rows, _placement.FirstLayer, _node.NowMs);
            _running.Add(message.Batch, run);
            Guard(run, () =>
            {
                run.Enter(_stage!.IsFirst ? _stage.Embed(message.Ids.AsSpan()) : Rows.Open(_device.Backend, payload!, _node.Model.Config.HiddenSize));
                if (run.X.Rows != rows.Rows) throw new MessageFormatException($"Stage: {run.X.Rows} rows came for a batch of {rows.Rows}.");
                Advance(run);
            });
        }
    }

    /// <summary>One layer, or the end of the stage.</summary>
    private void Advance(BatchRun run) => Guard(run, () =>
    {
        if (run.Layer == _placement.FirstLayer + _placement.Layers)
        {
            Finish(run);
            return;
        }

        _links.Progress(run);
        run.BeginLayer();
        var attended = _stage!.Attend(run.Layer, run.X, run.Rows);
        if (_node.Model.Config.IsMoe[run.Layer])
        {
            var input = _stage.Route(run.Layer, run.Attended(attended));
            run.AwaitExperts(input);
            _router.Tell(new RouterProtocol.Dispatch(run.Message.Batch, run.Layer, input.Routing, run.Span));
            run.BeginShared(_stage);
        }
        else
        {
            using (attended) run.Pass(_stage.DenseFfn(run.Layer, attended));
            Self.Tell(new Continue(run.Message.Batch));
        }
    });

    /// <summary>Routed experts of this device have run by now, and the shared one with them: their turn came before this message's. If there are none it runs while others' do.</summary>
    private void CatchUp(BatchRun run, int layer)
    {
        if (run.Layer == layer) Guard(run, () => run.CatchUp(_stage!));
    }

    private void Combine(RouterProtocol.Gathered gathered)
    {
        if (_running.TryGetValue(gathered.Batch, out var run) && run.Layer == gathered.Layer)
            Guard(run, () =>
            {
                run.Combine(_stage!, gathered.Rows);
                Self.Tell(new Continue(gathered.Batch));
            });
        else
            gathered.Dispose();
    }

    private void Finish(BatchRun run)
    {
        var message = run.Message;
        if (_stage!.IsLast)
            _links.Ran(message, BatchOutput.Compute(_stage, _device.Backend, _node.Model.Config.VocabSize, run.TakeX(), message.Sequences, _caches!));
        else if (_links.Next(_pipelineEpoch) is { } next)
            _links.SendOn(next, message, Rows.ToPayload(_device.Backend, run.TakeX(), _node.Lane, next));
        else
            _links.Failed(message, RefusalReason.NotReady, "the next stage is not known");
        Drop(message.Batch);
    }

    private void Free(StageProtocol.Free free)
    {
        _caches!.Free(free.Sequences);
        if (!_stage!.IsLast && _links.Next(_pipelineEpoch) is { } next) _links.SendOn(next, free, null);
    }

    private void WithRun(BatchId batch, Action<BatchRun> act)
    {
        if (_running.TryGetValue(batch, out var run)) act(run);
    }

    /// <summary>Too little memory loses the batch, not the stage; where it is so again and again, the device says so.</summary>
    private void Guard(BatchRun run, Action act)
    {
        try
        {
            act();
        }
        catch (Exception e) when (DeviceFaults.IsOutOfMemory(e))
        {
            FallShort(run, e.Message);
        }
    }

    private void FallShort(BatchRun run, string why)
    {
        Context.Parent.Tell(new DeviceProtocol.RanOut(why));
        Fail(run, RefusalReason.Failed, $"it is out of memory: {why}");
    }

    private void Fail(BatchRun run, RefusalReason reason, string why)
    {
        _links.Failed(run.Message, reason, why);
        Drop(run.Message.Batch);
    }

    private void Drop(BatchId batch)
    {
        if (!_running.Remove(batch, out var run)) return;
        run.Dispose();
        _router.Tell(new RouterProtocol.Forget(batch));
    }

    private void DropRuns()
    {
        foreach (var run in _running.Values) run.Dispose();
        _running.Clear();
    }

    /// <summary>What it writes of a checkpoint; the first stage also what no device holds.</summary>
    private IReadOnlyList<TensorToWrite> Contents() =>
        [.. PartContents.OfStage(_stage!), .. _placement.Index == 0 ? PartContents.OfRest(_node.Model.Checkpoint) : []];

    private void Report(long loadedBytes, LoadFault? fault) => Context.Parent.Tell(new DeviceProtocol.StageHeld(
        new(_pipelineEpoch, _placement, _self, null, loadedBytes, fault?.Message, null, fault is { IsOfDevice: true })));
}
