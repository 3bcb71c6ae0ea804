namespace ActorLlama.Model;

/// <summary>Weights that somebody else holds and disposes.</summary>
internal sealed class GivenWeights(Func<string, Weight> find) : IHeldWeights
{
    private readonly List<(string Name, Weight Weight)> _weights = [];

    public long Bytes => _weights.Sum(given => given.Weight.Bytes);

    public long CopiedBytes => _weights.Sum(given => given.Weight.CopiedBytes);

    public IEnumerable<(string Name, TensorData Data)> Contents => _weights.Select(given => (given.Name, given.Weight.Contents[0]));

    public Weight Vector(string name) => Find(name);

    public Weight Embedding(string name) => Find(name);

    public Weight Linear(string name) => Find(name);

    public Weight Router(string name) => Find(name);

    public void Dispose() => _weights.Clear();

    private Weight Find(string name)
    {
        var weight = find(name);
        _weights.Add((name, weight));
        return weight;
    }
}
