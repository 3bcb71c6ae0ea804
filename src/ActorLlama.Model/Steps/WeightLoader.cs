namespace ActorLlama.Model;

/// <summary>Loads weights by canonical name, checked against the config, and holds them until disposed.</summary>
internal sealed class WeightLoader(IBackend backend, LlamaConfig config, ITensorSource source, WeightLoading loading) : IDisposable
{
    private readonly ParameterTable _table = ParameterTable.Of(config);
    private readonly List<Weight> _weights = [];

    /// <summary>Bytes of all weights loaded so far.</summary>
    public long Bytes => _weights.Sum(weight => weight.Bytes);

    /// <summary>Those of them that are copies (<see cref="Weight.CopiedBytes"/>).</summary>
    public long CopiedBytes => _weights.Sum(weight => weight.CopiedBytes);

    public Weight Vector(string name) => Keep(backend.LoadVector(Find(name), loading));

    public Weight Embedding(string name) => Keep(backend.LoadEmbedding(Find(name), loading));

    public Weight Linear(string name) => Keep(backend.LoadLinear(Find(name), loading));

    public Weight Experts(int layer, int first, int count) => Keep(backend.LoadExperts(
        Find(ParameterNames.ExpertsGateUp(layer)), Find(ParameterNames.ExpertsDown(layer)), first, count, loading));

    public void Dispose()
    {
        foreach (var weight in _weights) weight.Dispose();
        _weights.Clear();
    }

    private StoredTensor Find(string name)
    {
        loading.Cancellation.ThrowIfCancellationRequested();
        var tensor = source.Get(name);
        _table.Check(name, tensor);
        return tensor;
    }

    private Weight Keep(Weight weight)
    {
        _weights.Add(weight);
        return weight;
    }
}
