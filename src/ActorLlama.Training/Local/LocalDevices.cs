using System.Collections.Immutable;
using ActorLlama.Model;
using ActorLlama.Protocol;
using static TorchSharp.torch;

namespace ActorLlama.Training;

/// <summary>
/// Logical devices of one process, each with its share of the trunk, and the owners of the experts: what training actors are in a cluster, called one after the other. Every
/// tensor that comes out is the caller's.
/// </summary>
internal sealed class LocalDevices : IDisposable
{
    private readonly LlamaConfig _config;
    private readonly ImmutableArray<ImmutableArray<Parameter>> _segments;
    private readonly List<TorchBackend> _backends = [];
    private readonly List<ParameterShard> _trunks = [];
    private readonly List<ExpertOwner> _experts = [];

    public LocalDevices(
        LlamaConfig config, TrainerOptions options, Func<string, TensorData> weights, Func<string, (TensorData Mean, TensorData Variance)>? moments)
    {
        _config = config;
        _segments = TrunkSegments.Of(config);
        Chunks = new NormChunks(options.Pieces, config.IsMoe.Contains(true) ? config.Experts : 0);
        try
        {
            for (var device = 0; device < options.Devices; device++)
            {
                _backends.Add(new TorchBackend(config, options.Device, options.Compute, options.Strategy));
                var pieces = Enumerable.Range(0, options.Pieces).Where(piece => piece * options.Devices / options.Pieces == device);
                _trunks.Add(ParameterShard.Load(Chunks.TrunkOf(config, pieces), options.Weights, options.Device, weights, moments));
            }
            var count = Chunks.Experts / options.ExpertShards;
            for (var first = 0; first < Chunks.Experts; first += count)
            {
                var parameters = ParameterShard.Load(Chunks.ExpertsOf(config, first, count), options.Weights, options.Device, weights, moments);
                _experts.Add(new ExpertOwner(_backends[_experts.Count % options.Devices], config, first, count, parameters));
            }
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    public NormChunks Chunks { get; }

    public PhaseClock Clock { get; } = new();

    public int Count => _backends.Count;

    /// <summary>All owners' parameters: trunk shards by device, then experts by shard.</summary>
    public IEnumerable<ParameterShard> Shards => [.. _trunks, .. _experts.Select(owner => owner.Parameters)];

    public IReadOnlyList<TorchBackend> Backends => _backends;

    /// <summary>How a device reaches all of them: every answer is there at once.</summary>
    public IExchange ExchangeOf(int device) => new CallExchange(this, device);

    /// <summary>Copies of the experts in the compute type are made anew.</summary>
    public void Refresh() => _experts.ForEach(owner => owner.Refresh());

    public void Dispose()
    {
        _experts.ForEach(owner => owner.Dispose());
        _trunks.ForEach(trunk => trunk.Dispose());
        _backends.ForEach(backend => backend.Dispose());
    }

    private TrunkSegment Gather(int device, int segment)
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        return new TrunkSegment(_backends[device], _config, segment, _segments[segment], Whole);
    }

    private Tensor Whole(string name)
    {
        var parts = _trunks.SelectMany(trunk => trunk.Find(name)).OrderBy(part => part.Range.Start).Select(part => part.Weight).ToList();
        return parts.Count == 1 ? parts[0] : cat(parts);
    }

    private void Add(SegmentGradients gradients, bool isHead)
    {
        using var phase = Clock.Enter(StepPhase.Sums);
        using var noGrad = no_grad();
        foreach (var (name, gradient) in gradients.Parameters)
            foreach (var trunk in _trunks) trunk.Add(name, gradient, isHead);
    }

    /// <summary>Each shard's rows to it, in their order, and its answers to their places.</summary>
    private Tensor Shared(Tensor rows_SD, ReadOnlyMemory<int> experts, Func<ExpertOwner, Tensor, ReadOnlyMemory<int>, Tensor?, Tensor> call, Tensor? gradient_SD)
    {
        using var phase = Clock.Enter(StepPhase.Experts);
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        if (_experts.Count == 1) return call(_experts[0], rows_SD, experts, gradient_SD);
        var result_SD = empty_like(rows_SD);
        var ids = experts.ToArray();
        foreach (var owner in _experts)
        {
            var places = Enumerable.Range(0, ids.Length).Where(row => ids[row] >= owner.First && ids[row] < owner.First + owner.Count).ToArray();
            if (places.Length == 0) continue;
            var at = tensor(places.Select(place => (long)place).ToArray(), ScalarType.Int64, rows_SD.device);
            using var answer = call(owner, rows_SD.index_select(0, at), places.Select(place => ids[place]).ToArray(), gradient_SD?.index_select(0, at));
            result_SD.index_copy_(0, at, answer);
        }
        return result_SD.DetachFromDisposeScope();
    }

    private sealed class CallExchange(LocalDevices all, int device) : IExchange
    {
        public PhaseClock Clock => all.Clock;

        public Answer<TrunkSegment> Gather(int segment, ExchangePass pass) => Answer<TrunkSegment>.Of(all.Gather(device, segment));

        public Answer<Tensor> RunExperts(int slot, int layer, Tensor rows_SD, ReadOnlyMemory<int> experts) =>
            Answer<Tensor>.Of(all.Shared(rows_SD, experts, (owner, rows, of, _) => owner.Run(layer, rows, of.Span), null));

        public Answer<Tensor> RunExpertsBackward(int slot, int layer, Tensor rows_SD, ReadOnlyMemory<int> experts, Tensor gradient_SD) =>
            Answer<Tensor>.Of(all.Shared(rows_SD, experts, (owner, rows, of, gradient) => owner.Backward(layer, rows, of.Span, gradient!), gradient_SD));

        public Answer<bool> Scatter(int slot, int segment, SegmentGradients gradients)
        {
            all.Add(gradients, segment == TrunkSegments.Head(all._config));
            return Yield();
        }

        public Answer<bool> Yield() => Answer<bool>.Of(true);
    }
}
