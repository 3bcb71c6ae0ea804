using ActorLlama.Model;

namespace ActorLlama.Checkpoints;

/// <summary>
/// Freshly initialised weights (spec 7.3) without a file: the values that <see cref="CheckpointInitializer"/> writes for the same seed, bfloat16. Read by one thread at a time.
/// </summary>
public sealed class InitialWeights(LlamaConfig config, ulong seed)
{
    private readonly ParameterTable _table = ParameterTable.Of(config);
    private readonly RandomWeights _weights = new(seed);

    /// <summary>The tensor of that canonical name. Throws <see cref="KeyNotFoundException"/> when the model has none.</summary>
    public TensorData Get(string canonicalName)
    {
        var parameter = _table.Find(canonicalName) ?? throw new KeyNotFoundException($"Initial weights: the model has no parameter \"{canonicalName}\".");
        return new Filled(parameter, _weights.Of(parameter, canonicalName).Fill);
    }

    private sealed class Filled(Parameter parameter, TensorFill fill) : TensorData(parameter.Name, ElementType.BFloat16, parameter.Shape)
    {
        public override void Read(long offset, Span<byte> bytes) => fill(offset, bytes);
    }
}
