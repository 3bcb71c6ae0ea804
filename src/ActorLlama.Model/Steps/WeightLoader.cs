using System.Collections.Immutable;

namespace ActorLlama.Model;

/// <summary>Loads weights by canonical name, checked against the config, and holds them until disposed.</summary>
internal sealed class WeightLoader(IBackend backend, LlamaConfig config, ITensorSource source, WeightLoading loading) : IHeldWeights
{
    private readonly ParameterTable _table = ParameterTable.Of(config);
    private readonly List<(ImmutableArray<string> Names, Weight Weight)> _weights = [];

    /// <summary>Bytes of all weights loaded so far.</summary>
    public long Bytes => _weights.Sum(held => held.Weight.Bytes);

    /// <summary>Those of them that are copies (<see cref="Weight.CopiedBytes"/>).</summary>
    public long CopiedBytes => _weights.Sum(held => held.Weight.CopiedBytes);

    /// <summary>All tensors as the device has them now, by canonical name, in the order of loading (<see cref="Weight.Contents"/>).</summary>
    public IEnumerable<(string Name, TensorData Data)> Contents => _weights.SelectMany(held => held.Names.Zip(held.Weight.Contents));

    public Weight Vector(string name) => Keep(backend.LoadVector(Find(name), loading), name);

    public Weight Embedding(string name) => Keep(backend.LoadEmbedding(Find(name), loading), name);

    public Weight Linear(string name) => Keep(backend.LoadLinear(Find(name), loading), name);

    public Weight Router(string name) => Keep(backend.LoadLinear(Find(name), loading with { KeepsType = true }), name);

    public Weight Experts(int layer, int first, int count)
    {
        string gateUp = ParameterNames.ExpertsGateUp(layer), down = ParameterNames.ExpertsDown(layer);
        return Keep(backend.LoadExperts(Find(gateUp), Find(down), first, count, loading), gateUp, down);
    }

    public void Dispose()
    {
        foreach (var (_, weight) in _weights) weight.Dispose();
        _weights.Clear();
    }

    private StoredTensor Find(string name)
    {
        loading.Cancellation.ThrowIfCancellationRequested();
        var tensor = source.Get(name);
        _table.Check(name, tensor);
        return tensor;
    }

    private Weight Keep(Weight weight, params ImmutableArray<string> names)
    {
        _weights.Add((names, weight));
        return weight;
    }
}
