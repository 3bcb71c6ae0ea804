using ActorLlama.Checkpoints;
using ActorLlama.Model;

namespace ActorLlama.Training.Runs;

/// <summary>Where a run's weights and moments are read: fresh ones, or a checkpoint. Readable until it is disposed, by one thread.</summary>
public sealed class RunSource : IDisposable
{
    private readonly Checkpoint? _checkpoint;
    private readonly OptimizerState? _optimizer;

    private RunSource(Func<string, TensorData> weights, Checkpoint? checkpoint = null, OptimizerState? optimizer = null)
    {
        (Weights, _checkpoint, _optimizer) = (weights, checkpoint, optimizer);
        if (optimizer is not null) Moments = name => (optimizer.Get(LocalTrainer.MeanPrefix + name), optimizer.Get(LocalTrainer.VariancePrefix + name));
    }

    /// <summary>A parameter by its canonical name.</summary>
    public Func<string, TensorData> Weights { get; }

    /// <summary>A parameter's moments by its canonical name; null: zeros.</summary>
    public Func<string, (TensorData Mean, TensorData Variance)>? Moments { get; }

    /// <param name="config">The model.</param>
    /// <param name="seed">Of fresh weights.</param>
    public static RunSource Fresh(LlamaConfig config, int seed) => new(new InitialWeights(config, (ulong)seed).Get);

    /// <param name="folder">A checkpoint.</param>
    /// <param name="hasOptimizer">The moments are read there, too.</param>
    /// <exception cref="InvalidDataException">It is broken.</exception>
    /// <exception cref="IOException">It is not there.</exception>
    public static RunSource Of(string folder, bool hasOptimizer)
    {
        var checkpoint = CheckpointDirectory.Open(folder);
        try
        {
            return new RunSource(checkpoint.Get, checkpoint, hasOptimizer ? OptimizerState.Open(folder) : null);
        }
        catch
        {
            checkpoint.Dispose();
            throw;
        }
    }

    public void Dispose()
    {
        _optimizer?.Dispose();
        _checkpoint?.Dispose();
    }
}
