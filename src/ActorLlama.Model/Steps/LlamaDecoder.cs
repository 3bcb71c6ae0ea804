namespace ActorLlama.Model;

/// <summary>The whole model on one device, composed of the same steps that a cluster runs: the oracle of every distributed test.</summary>
public sealed class LlamaDecoder : IDisposable
{
    private readonly LlamaConfig _config;
    private readonly TrunkStage _trunk;
    private readonly ExpertGroup? _experts;

    private LlamaDecoder(LlamaConfig config, TrunkStage trunk, ExpertGroup? experts) =>
        (_config, _trunk, _experts) = (config, trunk, experts);

    /// <summary>Bytes of all weights.</summary>
    public long Bytes => _trunk.Bytes + (_experts?.Bytes ?? 0);

    /// <summary>Those of them that are copies (<see cref="Weight.CopiedBytes"/>).</summary>
    public long CopiedBytes => _trunk.CopiedBytes + (_experts?.CopiedBytes ?? 0);

    /// <summary>Loads everything. Arguments as for a stage.</summary>
    public static LlamaDecoder Load(IBackend backend, LlamaConfig config, ITensorSource weights, WeightLoading? loading = null)
    {
        var trunk = TrunkStage.Load(backend, config, LayerRange.All(config), weights, loading);
        try
        {
            var experts = config.IsMoe.Contains(true)
                ? ExpertGroup.Load(backend, config, 0, config.Experts, weights, loading)
                : null;
            return new LlamaDecoder(config, trunk, experts);
        }
        catch
        {
            trunk.Dispose();
            throw;
        }
    }

    /// <summary>A fresh cache for one sequence.</summary>
    public KvCache NewCache() => _trunk.NewCache();

    /// <summary>
    /// Runs the batch's rows through all layers and returns the logits [logitRows, V], float32, of the rows named; none named, none computed.
    /// </summary>
    public Activation Forward(RowBatch rows, ReadOnlySpan<int> ids, ReadOnlySpan<int> logitRows)
    {
        if (ids.Length != rows.Rows) throw new ArgumentException($"Decoder: {ids.Length} ids for {rows.Rows} rows.", nameof(ids));
        var x = _trunk.Embed(ids);
        try
        {
            for (var layer = 0; layer < _config.Layers; layer++) Replace(ref x, Layer(layer, x, rows));
            return _trunk.Logits(x, logitRows);
        }
        finally
        {
            x.Dispose();
        }
    }

    public void Dispose()
    {
        _experts?.Dispose();
        _trunk.Dispose();
    }

    private Activation Layer(int layer, Activation x, RowBatch rows)
    {
        using var h = _trunk.Attend(layer, x, rows);
        if (!_config.IsMoe[layer]) return _trunk.DenseFfn(layer, h);
        using var input = _trunk.Route(layer, h);
        using var shared = _trunk.Shared(layer, input);
        using var routed = _experts!.Run(layer, input.Routing.Scaled, input.Routing.Experts);
        return _trunk.Combine(h, shared, routed);
    }

    private static void Replace(ref Activation x, Activation next)
    {
        x.Dispose();
        x = next;
    }
}
