using System.Collections.Immutable;
using ActorLlama.Model;
using ActorLlama.Planning.Training;
using ActorLlama.Protocol;
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
        _devices.Clock.Restart(StepPhase.Trunk);
        foreach (var shard in _devices.Shards) shard.ClearGradients();
        var report = Pass(batch, isTraining: true);
        var (squares, bad) = GradientSquares();
        var sums = SumsOf(batch, report with { Norms = squares, NotFinite = bad }, _devices.Chunks.Count);
        var losses = BatchLoss.Of(_config, sums);
        var rate = _options.LearningRates.At(Updates);
        if (sums.NotFinite is { } what) return new StepResult(losses, sums.RawNorm, sums.RawNorm, ParameterNorm(), rate, double.IsFinite(sums.Loss) ? what : "loss");
        Updates++;
        Update(rate, sums.Factor!.Value);
        return new StepResult(losses, sums.RawNorm, sums.ClippedNorm, ParameterNorm(), rate, null);
    }

    /// <summary>The losses of a batch; nothing changes.</summary>
    public BatchLoss Evaluate(TrainingBatch batch) => BatchLoss.Of(_config, SumsOf(batch, Pass(batch, isTraining: false), chunks: 0));

    public void Dispose() => _devices.Dispose();

    private StepSums SumsOf(TrainingBatch batch, TrainingProtocol.Report report, int chunks) =>
        StepSums.Of(Updates, [report], batch.Rows, chunks, _options.ClipNorm > 0 ? _options.ClipNorm : null);

    /// <summary>All slots forward and, in training, back: device by device, so in slot order.</summary>
    private TrainingProtocol.Report Pass(TrainingBatch batch, bool isTraining)
    {
        var losses = new LossSums(_config);
        var slots = new MicrobatchSlots(batch.Rows, isTraining ? _options.GradientAccumulation : 1);
        double? balanceScale = isTraining ? slots.BalanceScale(_config, batch.TotalWeights) : null;
        for (var part = 0; part < slots.Parts; part++)
        {
            var numbers = slots.Of(part);
            foreach (var mine in numbers.GroupBy(slot => (int)((long)(slot - numbers[0]) * _devices.Count / numbers.Length)))
            {
                using var pass = new BatchPass(
                    _config, _options, _devices.ExchangeOf(mine.Key), losses, [.. mine.Select(slot => (slot, TrainingSlot.Of(batch, slots.RowOf(slot))))], balanceScale);
                var running = pass.RunAsync();
                if (!running.IsCompleted) throw new InvalidOperationException("Training: a pass waits, though all its owners answer at once.");
                running.GetAwaiter().GetResult();
            }
        }
        return new TrainingProtocol.Report(0, default, default, losses.Losses, [], null, losses.ExpertRows, [], null);
    }

    private void Update(double rate, double factor)
    {
        using var phase = _devices.Clock.Enter(StepPhase.Update);
        foreach (var shard in _devices.Shards) shard.Apply(_options.Adam, Updates, rate, factor);
        _devices.Refresh();
    }

    private (ImmutableArray<TrainingProtocol.ChunkNorm> Squares, TrainingProtocol.BadTensor? NotFinite) GradientSquares()
    {
        using var phase = _devices.Clock.Enter(StepPhase.Sums);
        return ChunkSums.OfGradients(_devices.Shards, _devices.Chunks, ParameterTable.Of(_config), Enumerable.Range(0, _devices.Chunks.Count));
    }

    private double ParameterNorm() => Math.Sqrt(ChunkSums.OfWeights(_devices.Shards, _devices.Chunks, Enumerable.Range(0, _devices.Chunks.Count)).Sum(norm => norm.SumOfSquares));

    private IEnumerable<(string Name, TensorData Data)> Contents(string prefix, Func<OwnedRange, Tensor> of)
    {
        var parts = _devices.Shards.SelectMany(shard => shard.Ranges).ToLookup(range => range.Range.Parameter.Name);
        return ParameterTable.Of(_config).Parameters.Select(parameter => (
            prefix + parameter.Name,
            (TensorData)new ShardedTensor(prefix + parameter.Name, parameter, [.. parts[parameter.Name].Select(range => (range.Range, of(range)))])));
    }
}
