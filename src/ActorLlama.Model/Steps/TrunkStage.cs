namespace ActorLlama.Model;

/// <summary>
/// A stage: the trunk's weights of a range of layers on one device, and the steps of spec 2.1 over them. Between <see cref="Route"/> and
/// <see cref="Combine"/> the caller has the experts run, here or elsewhere. Activations are rows [T, D]; every step returns a new one,
/// owned by the caller, and only reads its arguments. Layers are absolute. All calls come from the device's thread, but <see cref="Load"/>.
/// </summary>
public sealed class TrunkStage : IDisposable
{
    private readonly IBackend _backend;
    private readonly LlamaConfig _config;
    private readonly IHeldWeights _weights;
    private readonly LayerWeights[] _layers;
    private readonly Weight? _embedding, _finalNorm, _head;

    private TrunkStage(IBackend backend, LlamaConfig config, LayerRange layers, WeightLoader weights)
    {
        (_backend, _config, _weights, Layers) = (backend, config, weights, layers);
        _embedding = IsFirst ? weights.Embedding(ParameterNames.Embed) : null;
        _layers = new LayerWeights[layers.Count];
        for (var i = 0; i < layers.Count; i++) _layers[i] = LayerWeights.Load(weights, config, layers.First + i);
        _finalNorm = IsLast ? weights.Vector(ParameterNames.FinalNorm) : null;
        _head = IsLast ? weights.Linear(config.TieEmbeddings ? ParameterNames.Embed : ParameterNames.LmHead) : null;
    }

    private TrunkStage(IBackend backend, LlamaConfig config, int layer, GivenWeights weights)
    {
        (_backend, _config, _weights, Layers) = (backend, config, weights, new LayerRange(layer, 1));
        _layers = [LayerWeights.Load(weights, config, layer)];
    }

    public LayerRange Layers { get; }

    /// <summary>Whether this stage embeds.</summary>
    public bool IsFirst => Layers.IsFirst;

    /// <summary>Whether this stage has the final norm and the head.</summary>
    public bool IsLast => Layers.IsLast(_config);

    /// <summary>Bytes of its weights.</summary>
    public long Bytes => _weights.Bytes;

    /// <summary>Those of them that are copies (<see cref="Weight.CopiedBytes"/>).</summary>
    public long CopiedBytes => _weights.CopiedBytes;

    /// <summary>
    /// The stage's tensors as its device has them now, by canonical name. With tied embeddings the last stage has the embedding as its head. Readable until disposed.
    /// </summary>
    public IEnumerable<(string Name, TensorData Data)> Contents => _weights.Contents;

    /// <summary>Loads the stage's weights; embedding, final norm and head only where the range begins or ends the model.</summary>
    /// <param name="backend">The device; it outlives the stage.</param>
    /// <param name="config">The model.</param>
    /// <param name="layers">The stage's layers.</param>
    /// <param name="weights">Where the weights lie; it outlives the stage.</param>
    /// <param name="loading">How; null: NaN is refused.</param>
    public static TrunkStage Load(IBackend backend, LlamaConfig config, LayerRange layers, ITensorSource weights, WeightLoading? loading = null)
    {
        layers.Check(config);
        var loader = new WeightLoader(backend, config, weights, loading ?? new WeightLoading());
        try
        {
            return new TrunkStage(backend, config, layers, loader);
        }
        catch
        {
            loader.Dispose();
            throw;
        }
    }

    /// <summary>One layer, with neither embedding nor head, over weights by canonical name that the caller keeps and disposes after the stage.</summary>
    public static TrunkStage OfLayer(IBackend backend, LlamaConfig config, int layer, Func<string, Weight> weights) =>
        new(backend, config, layer, new GivenWeights(weights));

    /// <summary>A fresh cache for this stage's layers of one sequence.</summary>
    public KvCache NewCache() => _backend.NewCache(Layers.First, Layers.Count);

    /// <summary>Rows of the embedding table (first stage only).</summary>
    public Activation Embed(ReadOnlySpan<int> ids) =>
        _backend.Embed(_embedding ?? throw new InvalidOperationException("Stage: only the first stage embeds."), ids);

    /// <summary>x + attention(norm(x)) (spec 2.2–2.8). Writes keys and values to the rows' caches.</summary>
    public Activation Attend(int layer, Activation x, RowBatch rows)
    {
        var weights = Of(layer);
        using var attended = Attended(weights, layer, x, rows);
        using var projected = _backend.Linear(attended, weights.O);
        return _backend.Add(x, projected);
    }

    /// <summary>h + ffn(norm(h)) of a dense layer (spec 2.9).</summary>
    public Activation DenseFfn(int layer, Activation h)
    {
        var weights = Of(layer);
        if (weights.Router is not null) throw new InvalidOperationException($"Stage: layer {layer} has experts, not a dense FFN.");
        using var normed = _backend.Norm(h, weights.FfnNorm);
        using var ffn = _backend.GatedFfn(normed, weights.Ffn.Gate, weights.Ffn.Up, weights.Ffn.Down);
        return _backend.Add(h, ffn);
    }

    /// <summary>norm(h), and what the router makes of it: experts and scaled rows [T·k, D], ascending by expert id within a token (spec 2.10).</summary>
    public MoeInput Route(int layer, Activation h)
    {
        var weights = Of(layer);
        var router = weights.Router ?? throw new InvalidOperationException($"Stage: layer {layer} has no experts.");
        var normed = _backend.Norm(h, weights.FfnNorm);
        try
        {
            return new MoeInput(normed, _backend.Route(normed, router, _config.ExpertsPerToken));
        }
        catch
        {
            normed.Dispose();
            throw;
        }
    }

    /// <summary>
    /// The shared expert over the unscaled normed rows; beside the routed experts, if the device runs some of these next. The normed rows live until <see cref="CatchUp"/>,
    /// or until the result is read.
    /// </summary>
    public Activation Shared(int layer, MoeInput input)
    {
        var ffn = Of(layer).Ffn;
        return _backend.GatedFfnLater(input.Normed, ffn.Gate, ffn.Up, ffn.Down);
    }

    /// <summary>No routed experts come soon: the shared one is computed now, unless it has been.</summary>
    public void CatchUp() => _backend.CatchUp();

    /// <summary>h + (shared + routed). <paramref name="routed"/> is [T·k, D] in the routing's order; a token's k rows are summed in that order.</summary>
    public Activation Combine(Activation h, Activation shared, Activation routed)
    {
        if (_config.ExpertsPerToken == 1) return Combined(h, shared, routed);
        using var summed = _backend.SumGroups(routed, _config.ExpertsPerToken);
        return Combined(h, shared, summed);
    }

    /// <summary>Logits [rows, V], float32, of the named rows of x (last stage only); no rows give an activation without rows.</summary>
    public Activation Logits(Activation x, ReadOnlySpan<int> rows)
    {
        if (_finalNorm is null || _head is null) throw new InvalidOperationException("Stage: only the last stage has logits.");
        if (rows.IsEmpty) return _backend.Read([], 0, _config.VocabSize);
        if (IsAll(rows, x.Rows)) return _backend.Logits(x, _finalNorm, _head);
        using var taken = _backend.TakeRows(x, rows);
        return _backend.Logits(taken, _finalNorm, _head);
    }

    public void Dispose() => _weights.Dispose();

    private LayerWeights Of(int layer) => layer >= Layers.First && layer < Layers.End
        ? _layers[layer - Layers.First]
        : throw new ArgumentOutOfRangeException(nameof(layer), layer, $"Stage: it holds layers [{Layers.First},{Layers.End}).");

    private Activation Attended(LayerWeights weights, int layer, Activation x, RowBatch rows)
    {
        using var placed = Placed(weights, layer, x, rows);
        return _backend.Attend(placed, layer, rows);
    }

    private Qkv Placed(LayerWeights weights, int layer, Activation x, RowBatch rows)
    {
        var projected = _backend.NormQkv(x, weights.AttnNorm, weights.Q, weights.K, weights.V);
        try
        {
            var placed = _backend.Position(projected, layer, rows);
            // The values pass through unchanged; queries and keys are dead now.
            projected.Q.Dispose();
            projected.K.Dispose();
            return placed;
        }
        catch
        {
            projected.Dispose();
            throw;
        }
    }

    private Activation Combined(Activation h, Activation shared, Activation routed)
    {
        using var output = _backend.Add(shared, routed);
        return _backend.Add(h, output);
    }

    private static bool IsAll(ReadOnlySpan<int> rows, int count)
    {
        if (rows.Length != count) return false;
        for (var i = 0; i < count; i++)
            if (rows[i] != i) return false;
        return true;
    }
}
