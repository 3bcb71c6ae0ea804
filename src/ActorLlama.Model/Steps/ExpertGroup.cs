namespace ActorLlama.Model;

/// <summary>
/// Routed experts [First, First + Count) of every MoE layer on one device: the weights of one expert shard. All calls come from the
/// device's thread, but <see cref="Load"/>.
/// </summary>
public sealed class ExpertGroup : IDisposable
{
    private readonly IBackend _backend;
    private readonly WeightLoader _weights;
    private readonly Weight?[] _layers;

    private ExpertGroup(IBackend backend, LlamaConfig config, int first, int count, WeightLoader weights)
    {
        (_backend, _weights, First, Count) = (backend, weights, first, count);
        _layers = new Weight?[config.Layers];
        for (var layer = 0; layer < config.Layers; layer++)
            if (config.IsMoe[layer]) _layers[layer] = weights.Experts(layer, first, count);
    }

    public int First { get; }
    public int Count { get; }

    /// <summary>Bytes of its weights.</summary>
    public long Bytes => _weights.Bytes;

    /// <summary>Those of them that are copies (<see cref="Weight.CopiedBytes"/>).</summary>
    public long CopiedBytes => _weights.CopiedBytes;

    /// <summary>
    /// Its experts as their device has them now: per MoE layer gate_up [Count,D,2F] and down [Count,F,D], by canonical name. Readable until disposed.
    /// </summary>
    public IEnumerable<(string Name, TensorData Data)> Contents => _weights.Contents;

    /// <summary>Loads experts [first, first + count) of all MoE layers, touching no other expert's bytes. Arguments as for a stage.</summary>
    public static ExpertGroup Load(
        IBackend backend, LlamaConfig config, int first, int count, ITensorSource weights, WeightLoading? loading = null)
    {
        if (first < 0 || count < 1 || first + count > config.Experts)
            throw new InvalidDataException(
                $"Experts: [{first},{first + count}) are not within the model's [0,{config.Experts}). Change the number of expert shards.");
        var loader = new WeightLoader(backend, config, weights, loading ?? new WeightLoading());
        try
        {
            return new ExpertGroup(backend, config, first, count, loader);
        }
        catch
        {
            loader.Dispose();
            throw;
        }
    }

    /// <summary>Runs expert <paramref name="experts"/>[i] (absolute index, one of this group) over row i (spec 2.10). Rows in any order: [T, D] to [T, D].</summary>
    public Activation Run(int layer, Activation rows, ReadOnlySpan<int> experts)
    {
        if (experts.Length != rows.Rows)
            throw new ArgumentException($"Experts: {experts.Length} expert ids for {rows.Rows} rows.", nameof(experts));
        var weights = _layers[layer] ?? throw new InvalidOperationException($"Experts: layer {layer} has no experts.");
        if (Unfit(layer, experts) is { } why) throw new ArgumentOutOfRangeException(nameof(experts), $"Experts: this group {why}.");
        return _backend.ExpertFfn(rows, experts, weights);
    }

    /// <summary>Why these are no experts of this group, as what is said of it ("holds …"); null when they are.</summary>
    public string? Unfit(int layer, ReadOnlySpan<int> experts)
    {
        if (layer < 0 || layer >= _layers.Length || _layers[layer] is null) return $"has no experts in layer {layer}";
        foreach (var expert in experts)
            if (expert < First || expert >= First + Count) return $"holds experts [{First},{First + Count}), was asked for {expert}";
        return null;
    }

    public void Dispose() => _weights.Dispose();
}
