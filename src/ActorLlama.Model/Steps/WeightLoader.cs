namespace ActorLlama.Model;

/// <summary>Loads weights by canonical name, checked against the config, and holds them until disposed.</summary>
internal sealed class WeightLoader(
    IBackend backend, LlamaConfig config, ITensorSource source, bool allowNaN, Action<long>? bytesLoaded) : IDisposable
{
    private readonly ParameterTable _table = ParameterTable.Of(config);
    private readonly List<Weight> _weights = [];

    /// <summary>Bytes of all weights loaded so far.</summary>
    public long Bytes { get; private set; }

    public Weight Vector(string name) => Keep(backend.LoadVector(Find(name), allowNaN));

    public Weight Embedding(string name) => Keep(backend.LoadEmbedding(Find(name), allowNaN));

    public Weight Linear(string name) => Keep(backend.LoadLinear(Find(name), allowNaN));

    public Weight Experts(int layer, int first, int count) => Keep(
        backend.LoadExperts(
            Find(ParameterNames.ExpertsGateUp(layer), first, count), Find(ParameterNames.ExpertsDown(layer), first, count), first, count, allowNaN));

    public void Dispose()
    {
        foreach (var weight in _weights) weight.Dispose();
        _weights.Clear();
    }

    private StoredTensor Find(string name) => Checked(name, source.Get(name));

    private StoredTensor Find(string name, int first, int count) => Checked(name, source.Get(name, first, count));

    private StoredTensor Checked(string name, StoredTensor tensor)
    {
        _table.Check(name, tensor);
        return tensor;
    }

    private Weight Keep(Weight weight)
    {
        _weights.Add(weight);
        Bytes += weight.Bytes;
        bytesLoaded?.Invoke(Bytes);
        return weight;
    }
}
