using System.Collections.Immutable;
using ActorLlama.Model;
using ActorLlama.Planning.Training;
using ActorLlama.Protocol;
using ActorLlama.Runtime.Lanes;
using static TorchSharp.torch;

namespace ActorLlama.Training.Actors;

/// <summary>
/// An owner's calls during an attempt: weights and experts' results go out, gradients wait until all of lower slots have been added. Its actor's, on its thread.
/// </summary>
internal sealed class Contributions(RunContext run, Lane lane)
{
    private readonly ImmutableArray<ImmutableArray<Parameter>> _segments = TrunkSegments.Of(run.Config);
    private readonly Dictionary<(int Part, int Slot), (LaneEnvelope Call, Tensor? Values)> _waiting = [];
    private readonly Device _device = TorchTensors.Find(run.DeviceName);
    private readonly ScalarType _type = TorchTensors.TypeOf(run.Settings.Options.Compute);

    public void Gather(LaneEnvelope call, ExchangeId id, OwnedParts parts)
    {
        using var phase = run.Clock.Enter(StepPhase.Exchange);
        Answer(call, new ExchangeProtocol.Gathered(id), parts.Trunk.Flat(_segments[id.Segment], _type));
    }

    public void Run(LaneEnvelope call, ExchangeProtocol.Dispatch dispatch, OwnedParts parts)
    {
        using var rows = Open(call, dispatch.Experts.Length);
        using var phase = run.Clock.Enter(StepPhase.Experts);
        Answer(call, new ExchangeProtocol.Combine(dispatch.Id), parts.Experts(dispatch.Id.Target).Run(dispatch.Id.Segment - 1, rows, dispatch.Experts.AsSpan()));
    }

    /// <summary>Takes a gradient's payload until it is its turn. One that is there already stays, and what comes again is refused by <see cref="Reject"/>.</summary>
    public void Keep(int part, int slot, LaneEnvelope call, TrainingPlan plan)
    {
        if (_waiting.ContainsKey((part, slot)))
        {
            Refuse(call, ExchangeRefusal.Unexpected, "the gradient has come before");
            return;
        }
        _waiting.Add((part, slot), (call, call.Message is ExchangeProtocol.DispatchGradient dispatch ? OpenRows(call, dispatch) : OpenFlat(call, plan)));
    }

    /// <summary>Adds the gradients of these slots, in this order, and answers those who sent them.</summary>
    public void Add(OwnerEffect.Add add, OwnedParts parts)
    {
        foreach (var slot in add.Slots)
        {
            _waiting.Remove((add.Part, slot), out var waiting);
            using var values = waiting.Values;
            if (waiting.Call.Message is ExchangeProtocol.DispatchGradient dispatch) Answer(waiting.Call, new ExchangeProtocol.CombineGradient(dispatch.Id), Back(dispatch, values, parts));
            else
            {
                using var phase = run.Clock.Enter(StepPhase.Sums);
                var id = ((ExchangeProtocol.Scatter)waiting.Call.Message).Id;
                parts.Trunk.AddFlat(_segments[id.Segment], values!, id.Segment == TrunkSegments.Head(run.Config));
                Answer(waiting.Call, new ExchangeProtocol.Scattered(id), null);
            }
        }
    }

    public void Reject(OwnerEffect.Reject reject)
    {
        if (!_waiting.Remove((reject.Part, reject.Slot), out var waiting)) return;
        waiting.Values?.Dispose();
        Refuse(waiting.Call, ExchangeRefusal.Unexpected, $"the gradient of slot {reject.Slot} is not wanted");
    }

    public void Refuse(LaneEnvelope call, ExchangeRefusal reason, string message)
    {
        call.Payload?.Dispose();
        Answer(call, new ExchangeProtocol.Refused(TrainerActor.IdOf(call.Message), reason, message), null);
    }

    /// <summary>The attempt is over: those who wait know, or will.</summary>
    public void Drop()
    {
        foreach (var (_, (_, values)) in _waiting) values?.Dispose();
        _waiting.Clear();
    }

    private Tensor? Back(ExchangeProtocol.DispatchGradient dispatch, Tensor? values, OwnedParts parts)
    {
        if (values is null) return null;
        using var phase = run.Clock.Enter(StepPhase.Experts);
        using var rows = values.narrow(0, 0, dispatch.Experts.Length);
        using var gradient = values.narrow(0, dispatch.Experts.Length, dispatch.Experts.Length);
        return parts.Experts(dispatch.Id.Target).Backward(dispatch.Id.Segment - 1, rows, dispatch.Experts.AsSpan(), gradient);
    }

    private Tensor? OpenRows(LaneEnvelope call, ExchangeProtocol.DispatchGradient dispatch) => dispatch.Experts.IsEmpty ? null : Open(call, 2 * dispatch.Experts.Length);

    private Tensor OpenFlat(LaneEnvelope call, TrainingPlan plan)
    {
        using var phase = run.Clock.Enter(StepPhase.Exchange);
        var elements = _segments[TrainerActor.IdOf(call.Message).Segment]
            .Sum(parameter => TrunkPieces.RangesOf(plan, run.Device, parameter.Elements).Sum(range => range.End - range.Start));
        return TensorPayload.Open(PayloadOf(call), elements, ScalarType.Float32, _device);
    }

    private Tensor Open(LaneEnvelope call, int rows)
    {
        using var phase = run.Clock.Enter(StepPhase.Exchange);
        using var values = TensorPayload.Open(PayloadOf(call), (long)rows * run.Config.HiddenSize, _type, _device);
        return values.view(rows, run.Config.HiddenSize);
    }

    private static Payload PayloadOf(LaneEnvelope call) => call.Payload ?? throw new MessageFormatException($"Training: {call.Message.GetType().Name} came without its payload.");

    private void Answer(LaneEnvelope call, ILaneMessage answer, Tensor? tensor)
    {
        var to = call.ReplyTo!.Value;
        lane.Send(to, LaneClass.Response, answer, tensor is null ? null : TensorPayload.Of(lane, to, tensor), null, null);
    }
}
