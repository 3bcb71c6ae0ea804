using System.Collections.Immutable;
using ActorLlama.Planning.Batching;
using ActorLlama.Planning.Kv;
using ActorLlama.Protocol;
using ActorLlama.Runtime.Lanes;
using ActorLlama.Runtime.Nodes;
using ActorLlama.Runtime.Telemetry;
using Akka.Actor;
using Akka.Event;

namespace ActorLlama.Runtime.Scheduling;

/// <summary>
/// Continuous batching of one pipeline, for one epoch of its stages; on the node of stage 0, sharing its fate. One state: until all stages
/// are loaded it refuses with NotReady.
/// </summary>
internal sealed class BatchScheduler : UntypedActor, IWithTimers
{
    private const int LogitsPartBytes = 64 * 1024;
    private static readonly TimeSpan s_tick = TimeSpan.FromMilliseconds(100);

    private readonly NodeContext _node;
    private readonly int _pipeline;
    private readonly long _epoch;
    private readonly SchedulerState _state;
    private readonly BatchSpans _spans;
    private readonly ILoggingAdapter _log = Context.GetLogger();
    private LaneTarget _self;

    public BatchScheduler(NodeContext node, int pipeline, long epoch)
    {
        (_node, _pipeline, _epoch, _spans) = (node, pipeline, epoch, new BatchSpans(node.Gauges.Metrics));
        var plan = node.Options.Supervisor.Plan;
        var options = node.Options.Scheduler with
        {
            MaxPositions = node.Model.Config.MaxPositions,
            Kv = KvRoom.Of(node.Model.Shape, plan.KvPositions, plan.KvSequences),
        };
        _state = new SchedulerState(options, pipeline, epoch, new Random());
    }

    public static Props Props(NodeContext node, int pipeline, long epoch) =>
        Akka.Actor.Props.Create(() => new BatchScheduler(node, pipeline, epoch));

    private sealed record DeadlineTick : INoSerializationVerificationNeeded;

    public ITimerScheduler Timers { get; set; } = null!;

    protected override void PreStart()
    {
        _self = _node.Lane.Register(Self);
        StartTicking();
    }

    protected override void OnReceive(object message)
    {
        switch (message)
        {
            case SchedulerProtocol.Submit submit: Submit(submit); break;
            case SchedulerProtocol.Renew renew: Perform(_state.Renew(renew, ReplyKey, _node.NowMs), null); break;
            case SchedulerProtocol.Withdraw withdraw: Perform(_state.Withdraw(withdraw, _node.NowMs), null); break;
            case LaneEnvelope { Message: StageProtocol.Ran ran } envelope: Ran(ran, envelope.Payload); break;
            case LaneEnvelope { Message: StageProtocol.Failed failed }: Fail(failed); break;
            case LaneFailed { Message: StageProtocol.Run run } failed: Fail(new(run.Batch, RefusalReason.NotReady, $"stage 0 is out of reach ({failed.Reason})")); break;
            case LaneEnvelope { Message: StageProtocol.Progress progress }: _state.Progress(progress, _node.NowMs); break;
            case LaneEnvelope { Message: PulseProtocol.Pulse pulse }: if (pulse.IsBusy) _state.AtWork(_node.NowMs); break;
            case LaneFailed: break; // A Free or a question that could not be sent: the stage is gone, and its KV with it.
            case DeadlineTick: Tick(); break;
            default: Unhandled(message); break;
        }
    }

    protected override void PostStop()
    {
        _node.Lane.Unregister(_self);
        _node.Gauges.Retire(_pipeline, _epoch);
        _spans.EndAll();
    }

    private string ReplyKey => Sender.Path.ToSerializationFormat();

    private void Submit(SchedulerProtocol.Submit submit)
    {
        if (!IsPipelineLoaded)
        {
            Sender.Tell(new SchedulerProtocol.Refused(submit.Session, submit.Attempt, RefusalReason.NotReady, "stages are being loaded", 200));
            return;
        }

        if (!Timers.IsTimerActive(nameof(DeadlineTick))) StartTicking();
        Perform(_state.Submit(submit, ReplyKey, _node.NowMs), null);
    }

    /// <summary>The tick ends itself when it finds nothing to wait for: an idle node's threads sleep.</summary>
    private void StartTicking()
    {
        _state.SpreadOver(_node.Board.DevicesAtOnce(_pipeline));
        Timers.StartPeriodicTimer(nameof(DeadlineTick), new DeadlineTick(), s_tick);
    }

    private void Tick()
    {
        _state.SpreadOver(_node.Board.DevicesAtOnce(_pipeline));
        Perform(_state.Tick(_node.NowMs), null);
        if (_state.IsIdle) Timers.Cancel(nameof(DeadlineTick));
        Context.Parent.Tell(_state.Load);
        _node.Gauges.Report(_state.Load);
    }

    private void Ran(StageProtocol.Ran ran, Payload? payload)
    {
        _spans.End(ran.Batch, null);
        _node.Gauges.Metrics.Sampled(ran.Ids.Length);
        using (payload) Perform(_state.Ran(ran, _node.NowMs), payload as BytesPayload);
    }

    private void Fail(StageProtocol.Failed failed)
    {
        _log.Warning("Batch {Batch} attempt {Attempt} failed: {Reason} {Message}", failed.Batch.Number, failed.Batch.Attempt, failed.Reason, failed.Message);
        _spans.End(failed.Batch, failed.Reason.ToString());
        Perform(_state.Failed(failed, _node.NowMs), null);
    }

    /// <summary>Stages come first: a device waits for its next batch, and sessions for no answer of it.</summary>
    private void Perform(ImmutableArray<SchedulerEffect> effects, BytesPayload? logits)
    {
        foreach (var effect in effects.OrderBy(e => e is not (SchedulerEffect.RunBatch or SchedulerEffect.Free)))
            switch (effect)
            {
                case SchedulerEffect.RunBatch run: SendToStage0(_spans.Begin(run.ToMessage(_self))); break;
                case SchedulerEffect.AskDevices: AskDevices(); break;
                case SchedulerEffect.Free free: SendToStage0(new StageProtocol.Free(free.Sequences)); break;
                case SchedulerEffect.Tell tell: Reply(tell.ReplyKey).Tell(tell.Message); break;
                case SchedulerEffect.RouteLogits route: RouteLogits(route.Rows, logits!); break;
            }
    }

    private void AskDevices()
    {
        foreach (var device in Stages.Select(s => s.Device).OfType<LaneTarget>().Distinct())
            _node.Lane.Send(device, LaneClass.Control, new PulseProtocol.Ask(_self), null, null, Self);
    }

    private void RouteLogits(ImmutableArray<LogitsRow> rows, BytesPayload logits)
    {
        var rowBytes = _node.Model.Config.VocabSize * sizeof(float);
        foreach (var row in rows)
            for (var at = 0; at < rowBytes; at += LogitsPartBytes)
            {
                var part = logits.Memory.Slice(row.PayloadRow * rowBytes + at, Math.Min(LogitsPartBytes, rowBytes - at)).ToArray();
                Reply(row.ReplyKey).Tell(new SchedulerProtocol.LogitsPart(
                    row.Session, row.Attempt, row.Position, at / sizeof(float), _node.Model.Config.VocabSize, part));
            }
    }

    private void SendToStage0(ILaneMessage message)
    {
        if (Stages.FirstOrDefault(s => s.Placement.Index == 0)?.Stage is { } stage)
            _node.Lane.Send(stage, LaneClass.Request, message, null, null, Self);
        else if (message is StageProtocol.Run run)
            Self.Tell(new LaneFailed(default, run, LaneFailure.Gone));
    }

    private IActorRef Reply(string key) => ((ExtendedActorSystem)Context.System).Provider.ResolveActorRef(key);

    private IEnumerable<NodeProtocol.HeldStage> Stages =>
        _node.Board.Routes.Stages.Where(s => s.Placement.Pipeline == _pipeline && s.PlanEpoch == _epoch && s.Stage is not null);

    private bool IsPipelineLoaded => Stages.Count() == _node.Board.Plan.Stages.Count(s => s.Pipeline == _pipeline);
}
