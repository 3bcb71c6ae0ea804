using System.Collections.Immutable;
using ActorLlama.Model;
using ActorLlama.Protocol;
using ActorLlama.Runtime.Lanes;
using Akka.Actor;
using static TorchSharp.torch;

namespace ActorLlama.Training.Actors;

/// <summary>
/// A device's calls to the owners during one attempt, on the lane; answers are handed in by its trainer. The first call that fails ends it, and with it the pass: nothing is sent again.
/// For the device's thread.
/// </summary>
internal sealed class LaneExchange : IExchange, IDisposable
{
    private const long MostScatteringBytes = 64 << 20;

    private readonly ExchangeJob _job;
    private readonly TorchBackend _backend;
    private readonly SegmentRanges _ranges;
    private readonly Device _device;
    private readonly ScalarType _type;
    private readonly Dictionary<ExchangeId, (Action<Payload?> Take, Action<Exception> Fail)> _calls = [];
    private readonly List<IDisposable> _given = [];
    private (int Segment, ExchangePass Pass, Answer<TrunkSegment> Answer)? _next;
    private Answer<bool>? _drained, _yielded;
    private long _scatteringBytes;

    public LaneExchange(ExchangeJob job, TorchBackend backend, PhaseClock clock)
    {
        (_job, _backend, Clock) = (job, backend, clock);
        _ranges = new SegmentRanges(job.Config, job.Plan);
        (_device, _type) = (TorchTensors.Find(backend.Device), TorchTensors.TypeOf(backend.Activations));
    }

    public PhaseClock Clock { get; }

    public AttemptId Attempt => _job.Attempt;

    public bool IsEnded { get; private set; }

    /// <summary>Everything that was sent has been answered.</summary>
    public Answer<bool> Finish() => Drained(mostBytes: 0);

    /// <summary>The segment asked for, and the one that will be asked for next is on its way while it is computed with.</summary>
    public Answer<TrunkSegment> Gather(int segment, ExchangePass pass)
    {
        var answer = _next is { } next && (next.Segment, next.Pass) == (segment, pass) ? next.Answer : AskFor(segment, pass);
        _next = After(segment, pass) is { } following ? (following.Segment, following.Pass, AskFor(following.Segment, following.Pass)) : null;
        return answer;
    }

    public Answer<Tensor> RunExperts(int slot, int layer, Tensor rows_SD, ReadOnlyMemory<int> experts) => CallExperts(slot, layer, rows_SD, experts, null);

    public Answer<Tensor> RunExpertsBackward(int slot, int layer, Tensor rows_SD, ReadOnlyMemory<int> experts, Tensor gradient_SD) =>
        CallExperts(slot, layer, rows_SD, experts, gradient_SD);

    public Answer<bool> Scatter(int slot, int segment, SegmentGradients gradients)
    {
        using var phase = Clock.Enter(StepPhase.Exchange);
        foreach (var owner in _ranges.Owners)
        {
            var flat = _ranges.Take(owner, segment, gradients);
            var bytes = flat.NumberOfElements * sizeof(float);
            _scatteringBytes += bytes;
            Call(new ExchangeProtocol.Scatter(IdOf(slot, segment, owner, ExchangePass.Backward)), owner, flat, _ => Scattered(bytes), _ => { });
        }
        return Drained(MostScatteringBytes);
    }

    public Answer<bool> Yield()
    {
        _yielded = new Answer<bool>();
        _job.Self.Tell(TrainerActor.GoOn.Instance);
        return _yielded;
    }

    /// <summary>It is this device's turn again.</summary>
    public void GoOn()
    {
        var yielded = _yielded;
        _yielded = null;
        yielded?.Set(true);
    }

    /// <summary>An answer has come; it takes the payload. False when none is waited for.</summary>
    public bool Take(ExchangeId id, Payload? payload)
    {
        if (IsEnded || !_calls.Remove(id, out var call)) return false;
        call.Take(payload);
        return true;
    }

    /// <summary>Ends the pass, which throws this where it waits.</summary>
    public void Fail(string reason)
    {
        if (IsEnded) return;
        IsEnded = true;
        var fault = new AttemptEndedException(reason);
        List<Action<Exception>> waiting = [.. _calls.Values.Select(call => call.Fail)];
        _calls.Clear();
        foreach (var fail in waiting) fail(fault);
        _drained?.Fail(fault);
        _yielded?.Fail(fault);
    }

    public void Dispose()
    {
        Fail("it is over");
        foreach (var given in _given) given.Dispose();
        _given.Clear();
    }

    private (int Segment, ExchangePass Pass)? After(int segment, ExchangePass pass)
    {
        var head = TrunkSegments.Head(_job.Config);
        if (pass == ExchangePass.Forward && segment < head) return (segment + 1, pass);
        if (!_job.Recomputes) return null;
        return pass == ExchangePass.Forward ? (head - 1, ExchangePass.Recompute) : segment > 1 ? (segment - 1, pass) : null;
    }

    private Answer<TrunkSegment> AskFor(int segment, ExchangePass pass)
    {
        var answer = Give(new Answer<TrunkSegment>());
        var parts = new Tensor?[_ranges.Owners.Length];
        for (var i = 0; i < parts.Length; i++)
        {
            var (place, owner) = (i, _ranges.Owners[i]);
            Call(new ExchangeProtocol.Gather(IdOf(-1, segment, owner, pass), _job.State), owner, null, Take, Fail);

            void Take(Payload? payload)
            {
                parts[place] = Open(payload, _ranges.ElementsOf(owner, segment));
                if (parts.All(part => part is not null)) answer.Set(Join(segment, parts!));
            }
        }
        return answer;

        void Fail(Exception fault)
        {
            foreach (var part in parts) part?.Dispose();
            if (!answer.IsCompleted) answer.Fail(fault);
        }
    }

    private TrunkSegment Join(int segment, Tensor[] parts)
    {
        using var phase = Clock.Enter(StepPhase.Exchange);
        using var noGrad = no_grad();
        var wholes = _ranges.Join(segment, parts);
        var gathered = new TrunkSegment(_backend, _job.Config, segment, _ranges.Parameters(segment), name => wholes[name]);
        foreach (var tensor in wholes.Values.Concat(parts)) tensor.Dispose();
        return gathered;
    }

    private Answer<Tensor> CallExperts(int slot, int layer, Tensor rows_SD, ReadOnlyMemory<int> experts, Tensor? gradient_SD)
    {
        using var phase = Clock.Enter(StepPhase.Exchange);
        using var noGrad = no_grad();
        var answer = Give(new Answer<Tensor>());
        var groups = RowGroups.Of(experts.Span, _job.Plan.ExpertShards.Length, _job.Config.Experts, withEmpty: gradient_SD is not null);
        var (rows, width, left) = (experts.Length, rows_SD.shape[1], groups.Length);
        var pass = gradient_SD is null ? ExchangePass.ExpertForward : ExchangePass.ExpertBackward;
        Tensor? result_SD = null;
        foreach (var group in groups)
        {
            var id = IdOf(slot, TrunkSegments.OfLayer(layer), group.Shard, pass);
            ILaneMessage message = gradient_SD is null
                ? new ExchangeProtocol.Dispatch(id, _job.State, group.Experts)
                : new ExchangeProtocol.DispatchGradient(id, _job.State, group.Experts);
            Call(message, _job.Plan.ExpertShards[group.Shard], group.Rows.IsEmpty ? null : Rows(rows_SD, group, rows, gradient_SD), Take, Fail);

            void Take(Payload? payload)
            {
                if (group.Rows.IsEmpty) payload?.Dispose();
                else Place(group, Open(payload, group.Rows.Length * width).view(group.Rows.Length, width));
                if (--left == 0) answer.Set(result_SD!);
            }
        }
        return answer;

        void Place(RowGroup group, Tensor part)
        {
            using var placing = Clock.Enter(StepPhase.Exchange);
            using var noGrad = no_grad();
            if (group.Rows.Length == rows)
            {
                result_SD = part;
                return;
            }
            using var scope = NewDisposeScope();
            result_SD ??= empty([rows, width], part.dtype, part.device).DetachFromDisposeScope();
            result_SD.index_copy_(0, IndexOf(group), part);
            part.Dispose();
        }

        void Fail(Exception fault)
        {
            result_SD?.Dispose();
            if (!answer.IsCompleted) answer.Fail(fault);
        }
    }

    /// <summary>The group's rows and, behind them, their gradients.</summary>
    private Tensor Rows(Tensor rows_SD, RowGroup group, int all, Tensor? gradient_SD)
    {
        using var scope = NewDisposeScope();
        var rows = Of(rows_SD);
        return (gradient_SD is null ? rows : cat([rows, Of(gradient_SD)])).DetachFromDisposeScope();

        Tensor Of(Tensor from) => group.Rows.Length == all ? from.detach().alias() : from.detach().index_select(0, IndexOf(group));
    }

    private Tensor IndexOf(RowGroup group) => tensor(group.Rows.Select(row => (long)row).ToArray(), ScalarType.Int64, _device);

    private Tensor Open(Payload? payload, long elements)
    {
        using var phase = Clock.Enter(StepPhase.Exchange);
        return TensorPayload.Open(payload ?? throw new MessageFormatException("Training: an answer came without its payload."), elements, _type, _device);
    }

    private void Scattered(long bytes)
    {
        _scatteringBytes -= bytes;
        if (_drained is not { } drained || _scatteringBytes > 0) return;
        _drained = null;
        drained.Set(true);
    }

    /// <summary>There already while little is on its way; else when all of it has arrived.</summary>
    private Answer<bool> Drained(long mostBytes) => _scatteringBytes <= mostBytes ? Answer<bool>.Of(true) : _drained ??= new Answer<bool>();

    private ExchangeId IdOf(int slot, int segment, int target, ExchangePass pass) => new(_job.Attempt, slot, segment, target, pass);

    private T Give<T>(T answer)
        where T : IDisposable
    {
        _given.RemoveAll(given => given is ISpent { IsSpent: true });
        _given.Add(answer);
        return answer;
    }

    private void Call(ILaneMessage message, int device, Tensor? tensor, Action<Payload?> take, Action<Exception> fail)
    {
        if (IsEnded)
        {
            tensor?.Dispose();
            throw new AttemptEndedException("it is over");
        }
        var to = _job.Targets[device];
        _calls.Add(TrainerActor.IdOf(message), (take, fail));
        _job.Lane.Send(to, LaneClass.Request, message, tensor is null ? null : TensorPayload.Of(_job.Lane, to, tensor), _job.Address, _job.Self);
    }
}

/// <summary>What a device computes in one attempt, and whom it speaks with.</summary>
/// <param name="Config">The model.</param>
/// <param name="Plan">Who owns what.</param>
/// <param name="Targets">Where its devices listen, in their order.</param>
/// <param name="Attempt">Which attempt.</param>
/// <param name="State">The state that weights are read in.</param>
/// <param name="Recomputes">Segments are gathered again on the way back.</param>
/// <param name="Lane">The node's lane.</param>
/// <param name="Address">Where answers go.</param>
/// <param name="Self">The actor there.</param>
internal sealed record ExchangeJob(
    LlamaConfig Config,
    TrainingPlan Plan,
    ImmutableArray<LaneTarget> Targets,
    AttemptId Attempt,
    StateId State,
    bool Recomputes,
    Lane Lane,
    LaneTarget Address,
    IActorRef Self);
