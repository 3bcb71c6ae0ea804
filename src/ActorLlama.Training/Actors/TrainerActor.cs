using System.Collections.Immutable;
using ActorLlama.Planning.Training;
using ActorLlama.Protocol;
using ActorLlama.Runtime.Devices;
using ActorLlama.Runtime.Lanes;
using ActorLlama.Runtime.Nodes;
using ActorLlama.Training.Data;
using Akka.Actor;

namespace ActorLlama.Training.Actors;

/// <summary>
/// Computes a device's slots of an attempt, forward and backward; child of the device's owner, on its thread. Idle → Computing → Idle; it ends an attempt with <see cref="Computed"/> or
/// <see cref="Failed"/>, unless it is told to drop it.
/// </summary>
internal sealed class TrainerActor : TrainingWorker
{
    private readonly NodeContext _node;
    private readonly RunContext _run;
    private LaneTarget _self;
    private LaneExchange? _exchange;

    public TrainerActor(NodeContext node, NodeDevice device, RunContext run)
        : base(node, device, run.Clock) => (_node, _run) = (node, run);

    public static Props Props(NodeContext node, NodeDevice device, RunContext run) => Akka.Actor.Props.Create(() => new TrainerActor(node, device, run));

    /// <summary>Compute these slots, of that batch of the held-out text or, null, of the step. The attempt before is over.</summary>
    public sealed record Compute(AttemptId Attempt, StateId State, TrainingPlan Plan, ImmutableArray<LaneTarget> Targets, ImmutableArray<int> Slots, DataSet Data, long? Batch)
        : INoSerializationVerificationNeeded;

    /// <summary>Stop computing.</summary>
    public sealed record Drop(AttemptId Attempt) : INoSerializationVerificationNeeded;

    public sealed record Computed(OwnerEvent.Computed Event) : INoSerializationVerificationNeeded;

    public sealed record Failed(AttemptId Attempt, string Reason) : INoSerializationVerificationNeeded;

    /// <summary>From itself: it is its turn again.</summary>
    public sealed record GoOn : INoSerializationVerificationNeeded
    {
        public static GoOn Instance { get; } = new();
    }

    /// <summary>The call that a message of <see cref="ExchangeProtocol"/> is part of.</summary>
    public static ExchangeId IdOf(ILaneMessage message) => message switch
    {
        ExchangeProtocol.Gather m => m.Id,
        ExchangeProtocol.Gathered m => m.Id,
        ExchangeProtocol.Scatter m => m.Id,
        ExchangeProtocol.Scattered m => m.Id,
        ExchangeProtocol.Dispatch m => m.Id,
        ExchangeProtocol.Combine m => m.Id,
        ExchangeProtocol.DispatchGradient m => m.Id,
        ExchangeProtocol.CombineGradient m => m.Id,
        ExchangeProtocol.Refused m => m.Id,
        _ => throw new ArgumentException($"Training: {message.GetType().Name} is no call of an attempt.", nameof(message)),
    };

    protected override void PreStart() => _self = _node.Lane.Register(Self);

    protected override void OnReceive(object message)
    {
        switch (message)
        {
            case Compute compute: Start(compute); break;
            case Drop: End(); break;
            case GoOn: _exchange?.GoOn(); break;
            case LaneEnvelope { Message: ExchangeProtocol.Refused refused } envelope: Refused(refused, envelope.Payload); break;
            case LaneEnvelope envelope: Take(envelope); break;
            case LaneFailed failed: Lose(failed); break;
            default: Unhandled(message); break;
        }
    }

    protected override void PostStop()
    {
        _node.Lane.Unregister(_self);
        End();
    }

    private void Start(Compute compute)
    {
        End();
        var job = new ExchangeJob(
            _run.Config, compute.Plan, compute.Targets, compute.Attempt, compute.State, _run.Settings.Options.Rematerialises && compute.Batch is null, _node.Lane, _self, Self);
        _exchange = new LaneExchange(job, _run.Backend, Clock);
        _ = RunAsync(compute, _exchange, Context.Parent);
    }

    /// <summary>Runs on this actor's thread throughout: whatever it waits for is handed in by a message.</summary>
    private async Task RunAsync(Compute compute, LaneExchange exchange, IActorRef parent)
    {
        try
        {
            var losses = new LossSums(_run.Config);
            var isTraining = compute.Batch is null;
            var (data, step) = isTraining ? (compute.Data.Training, compute.Attempt.Step) : (compute.Data.HeldOut!, compute.Batch!.Value);
            var all = new MicrobatchSlots(compute.Plan.Slots.Length, isTraining ? _run.Settings.Options.GradientAccumulation : 1);
            double? scale = isTraining ? all.BalanceScale(_run.Config, _run.Settings.Options.LoadBalanceWeight > 0 ? data.Batch(step).TotalWeights : 1) : null;
            foreach (var part in compute.Slots.GroupBy(all.PartOf))
            {
                var batch = data.Rows(step, [.. part.Select(all.RowOf)]);
                using var pass = new BatchPass(
                    _run.Config, _run.Settings.Options, exchange, losses, [.. part.Select((slot, i) => (slot, TrainingSlot.Of(batch, i)))], scale);
                await pass.RunAsync();
            }
            await exchange.Finish();
            parent.Tell(new Computed(new OwnerEvent.Computed(compute.Attempt, losses.Losses, losses.ExpertRows, Clock.Take(),
                isTraining ? null : new TrainingProtocol.HeldOut(compute.Data.HeldOut!.StepsPerEpoch, compute.Data.HeldOut.Text.BytesPerTarget))));
        }
        catch (AttemptEndedException) when (!ReferenceEquals(exchange, _exchange))
        {
            // Its owner knows: it said so.
        }
        catch (Exception fault)
        {
            parent.Tell(new Failed(compute.Attempt, fault.Message));
            exchange.Dispose();
        }
    }

    private void End()
    {
        var exchange = _exchange;
        _exchange = null;
        exchange?.Dispose();
    }

    private void Take(LaneEnvelope envelope)
    {
        try
        {
            if (_exchange?.Take(IdOf(envelope.Message), envelope.Payload) != true) envelope.Payload?.Dispose();
        }
        catch (MessageFormatException fault)
        {
            _exchange?.Fail(fault.Message);
        }
    }

    private void Refused(ExchangeProtocol.Refused refused, Payload? payload)
    {
        payload?.Dispose();
        if (_exchange is { } exchange && exchange.Attempt == refused.Id.Attempt) exchange.Fail($"{refused.Reason}: {refused.Message}");
    }

    private void Lose(LaneFailed failed)
    {
        if (_exchange is { } exchange && exchange.Attempt == IdOf(failed.Message).Attempt) exchange.Fail($"the lane to {failed.To.Node.Address} says {failed.Reason}. {failed.Detail}".TrimEnd());
    }
}
