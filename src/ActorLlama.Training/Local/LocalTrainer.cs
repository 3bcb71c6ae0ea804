using ActorLlama.Model;
using static TorchSharp.torch;

namespace ActorLlama.Training;

/// <summary>
/// Trains a model in this process: the whole of spec 7 on one device, and the oracle of training over actors, which run the same segments. Gradients are summed slot by slot in
/// the order of their microbatches, norms by fixed chunks: so equal batches give equal bits on any number of logical devices. For one thread.
/// </summary>
public sealed class LocalTrainer : IDisposable
{
    /// <summary>Names of the optimizer's tensors: these before the parameter's canonical name.</summary>
    public const string MeanPrefix = "mu.", VariancePrefix = "nu.";

    private readonly LlamaConfig _config;
    private readonly TrainerOptions _options;
    private readonly LocalDevices _devices;

    /// <param name="config">The model.</param>
    /// <param name="options">How it is trained.</param>
    /// <param name="weights">Initial weights by canonical name, such as <c>Checkpoint.Get</c> or <c>InitialWeights.Get</c>; read only here.</param>
    /// <param name="moments">Moments by canonical name, where training goes on; null: zeros.</param>
    /// <param name="updates">Updates that were made before.</param>
    /// <exception cref="InvalidDataException">Options or weights do not fit the model.</exception>
    public LocalTrainer(
        LlamaConfig config, TrainerOptions options, Func<string, TensorData> weights,
        Func<string, (TensorData Mean, TensorData Variance)>? moments = null, long updates = 0)
    {
        options.Check(config);
        (_config, _options, Updates) = (config, options, updates);
        _devices = new LocalDevices(config, options, weights, moments);
    }

    /// <summary>Updates made so far: the number of the next step, from 0.</summary>
    public long Updates { get; private set; }

    /// <summary>Bytes of weights, moments and gradients by owner: trunk shards by device, then expert shards.</summary>
    public IReadOnlyList<long> OwnedBytes => [.. _devices.Shards.Select(shard => shard.Bytes)];

    /// <summary>Time of the last step by <see cref="StepPhase"/>.</summary>
    public IReadOnlyList<TimeSpan> LastTimes => _devices.Clock.Spent;

    /// <summary>Matrix products over experts launched so far.</summary>
    public long ExpertProducts => _devices.Backends.Sum(backend => backend.ExpertProducts);

    /// <summary>All parameters by canonical name, in canonical order, as they are when read.</summary>
    public IEnumerable<(string Name, TensorData Data)> Parameters => Contents("", range => range.Weight);

    /// <summary>The optimizer's state: each parameter's mean, then each one's variance.</summary>
    public IEnumerable<(string Name, TensorData Data)> Moments =>
        Contents(MeanPrefix, range => range.Mean).Concat(Contents(VariancePrefix, range => range.Variance));

    /// <summary>The gradients of the last step, summed over tokens and not clipped; by canonical name.</summary>
    internal IEnumerable<(string Name, TensorData Data)> Gradients => Contents("", range => range.Gradient);

    /// <summary>
    /// One step: gradients, clipping, update. A loss or gradient that is not finite is told in the result, and then nothing was changed; whether to stop or to go on with the
    /// next batch is the caller's.
    /// </summary>
    public StepResult Step(TrainingBatch batch)
    {
        if (batch.Rows % _options.GradientAccumulation != 0)
            throw new InvalidDataException(
                $"Training: {batch.Rows} sequences cannot be shared among gradient_accumulation_steps={_options.GradientAccumulation}. Choose a number that divides them.");
        _devices.Clock.Restart();
        foreach (var shard in _devices.Shards) shard.ClearGradients();
        var losses = Pass(batch, isTraining: true);
        var scale = 1.0 / Math.Max(1, losses.TotalWeights);
        var (norm, bad) = GradientNorm();
        norm *= scale;
        var rate = _options.LearningRates.At(Updates);
        bad = double.IsFinite(losses.Loss) ? bad : "loss";
        if (bad is not null) return new StepResult(losses, norm, norm, Norm(shard => shard.WeightSquares(_devices.Chunks)), rate, bad);
        var isClipped = _options.ClipNorm > 0 && norm >= _options.ClipNorm;
        var factor = isClipped ? scale * (_options.ClipNorm / norm) : scale;
        Updates++;
        Update(rate, factor);
        return new StepResult(losses, norm, isClipped ? _options.ClipNorm : norm, Norm(shard => shard.WeightSquares(_devices.Chunks)), rate, null);
    }

    /// <summary>The losses of a batch; nothing changes.</summary>
    public BatchLoss Evaluate(TrainingBatch batch) => Pass(batch, isTraining: false);

    public void Dispose() => _devices.Dispose();

    private BatchLoss Pass(TrainingBatch batch, bool isTraining)
    {
        var losses = new LossSums(_config, batch.Rows);
        var moeLayers = Math.Max(1, _config.IsMoe.Count(isMoe => isMoe));
        double? balanceScale = isTraining ? (double)Math.Max(1, batch.TotalWeights) / (batch.Rows * moeLayers) : null;
        var parts = isTraining ? _options.GradientAccumulation : 1;
        for (var part = 0; part < parts; part++)
        {
            var slots = Enumerable.Range(0, batch.Rows).Where(row => row % parts == part).Select(row => TrainingSlot.Of(batch, row)).ToArray();
            using var pass = new BatchPass(_config, _options, _devices, losses, slots, balanceScale);
            pass.Run();
        }
        return losses.Result();
    }

    private void Update(double rate, double factor)
    {
        using var phase = _devices.Clock.Enter(StepPhase.Update);
        foreach (var shard in _devices.Shards) shard.Apply(_options.Adam, Updates, rate, factor);
        _devices.Refresh();
    }

    private (double Norm, string? NotFinite) GradientNorm()
    {
        using var phase = _devices.Clock.Enter(StepPhase.Sums);
        var all = _devices.Shards.Select(shard => shard.GradientSquares(_devices.Chunks)).ToList();
        var bad = all.Select(part => part.NotFinite).OfType<string>().ToHashSet();
        return (Root(all.Select(part => part.Squares)), ParameterTable.Of(_config).Parameters.FirstOrDefault(parameter => bad.Contains(parameter.Name))?.Name);
    }

    private double Norm(Func<ParameterShard, IReadOnlyDictionary<int, double>> squares) => Root([.. _devices.Shards.Select(squares)]);

    /// <summary>Root of the sum over chunks, ascending: each belongs to one owner.</summary>
    private static double Root(IEnumerable<IReadOnlyDictionary<int, double>> squares)
    {
        var sum = 0.0;
        foreach (var (_, square) in squares.SelectMany(part => part).OrderBy(part => part.Key)) sum += square;
        return Math.Sqrt(sum);
    }

    private IEnumerable<(string Name, TensorData Data)> Contents(string prefix, Func<OwnedRange, Tensor> of)
    {
        var parts = _devices.Shards.SelectMany(shard => shard.Ranges).ToLookup(range => range.Range.Parameter.Name);
        return ParameterTable.Of(_config).Parameters.Select(parameter => (
            prefix + parameter.Name,
            (TensorData)new ShardedTensor(prefix + parameter.Name, parameter, [.. parts[parameter.Name].Select(range => (range.Range, of(range)))])));
    }
}
