using static TorchSharp.torch;

namespace ActorLlama.Model;

/// <summary>Blocks of 64 positions, a key and a value tensor [64, Hk·h] each, per layer. Holds values without gradient.</summary>
internal sealed class TorchKvCache(TorchKvBlocks pool, LlamaConfig config, int firstLayer, int layers) : KvCache
{
    private readonly Layer[] _layers = [.. Enumerable.Range(0, layers).Select(_ => new Layer())];

    public override int Length => _layers.Min(layer => layer.End);

    public override long Bytes => _layers.Sum(layer => (long)layer.Blocks.Count) * pool.BlockBytes;

    /// <summary>Elements of a block's keys.</summary>
    public long BlockElements => (long)BlockPositions * config.KvHeads * config.HeadDim;

    /// <summary>First position that a query at <paramref name="position"/> or later may see in that layer.</summary>
    public int FirstVisible(int layer, int position) => config.ChunkOf(layer) is { } chunk ? position / chunk * chunk : 0;

    /// <summary>Keys and values of positions [from, to) as stored, block by block [·, Hk·h]; the caller disposes them.</summary>
    public (List<Tensor> K, List<Tensor> V) Gather(int layer, int from, int to)
    {
        var blocks = Of(layer).Blocks;
        var k = new List<Tensor>();
        var v = new List<Tensor>();
        for (var at = from; at < to; at = (at / BlockPositions + 1) * BlockPositions)
        {
            var (offset, count) = (at % BlockPositions, Math.Min(to - at, BlockPositions - at % BlockPositions));
            var block = blocks[at / BlockPositions];
            k.Add(block.K.narrow(0, offset, count));
            v.Add(block.V.narrow(0, offset, count));
        }
        return (k, v);
    }

    /// <summary>The blocks [64, Hk·h] with positions from <paramref name="from"/> on, whole; they stay the cache's.</summary>
    public IEnumerable<TorchKvBlock> BlocksFrom(int layer, int from)
    {
        var state = Of(layer);
        for (var index = from / BlockPositions; index <= (state.End - 1) / BlockPositions; index++) yield return state.Blocks[index];
    }

    /// <summary>Stores rows [n, Hk·h] at positions [start, start + n), then drops blocks that no later batch may see.</summary>
    public void Write(int layer, int start, Tensor k, Tensor v)
    {
        var state = Of(layer);
        if (start > state.End || start < state.Start)
            throw new InvalidOperationException(
                $"Cache: rows at position {start} of layer {layer} do not follow on; they may start from {state.Start} to {state.End}.");
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        var count = (int)k.shape[0];
        for (var done = 0; done < count;)
        {
            var (index, offset) = Math.DivRem(start + done, BlockPositions);
            var piece = Math.Min(count - done, BlockPositions - offset);
            if (!state.Blocks.TryGetValue(index, out var block)) state.Blocks[index] = block = pool.Rent();
            block.K.narrow(0, offset, piece).copy_(k.narrow(0, done, piece));
            block.V.narrow(0, offset, piece).copy_(v.narrow(0, done, piece));
            done += piece;
        }
        (state.Start, state.End) = (start, start + count);
        foreach (var index in state.Blocks.Keys.Where(index => (index + 1) * BlockPositions <= FirstVisible(layer, start)).ToArray())
        {
            state.Blocks.Remove(index, out var dead);
            pool.Return(dead!);
        }
    }

    public override void Dispose()
    {
        foreach (var layer in _layers)
        {
            foreach (var block in layer.Blocks.Values) pool.Return(block);
            layer.Blocks.Clear();
        }
    }

    protected override TorchKvCache? Fork(int positions)
    {
        var seen = Enumerable.Range(0, layers)
            .Select(i => Enumerable.Range(0, positions / BlockPositions).Skip(FirstVisible(firstLayer + i, positions) / BlockPositions).ToArray())
            .ToArray();
        if (seen.Index().Any(s => s.Item.Any(b => !_layers[s.Index].Blocks.ContainsKey(b)))) return null;
        var fork = new TorchKvCache(pool, config, firstLayer, layers);
        for (var i = 0; i < layers; i++)
        {
            (fork._layers[i].Start, fork._layers[i].End) = (positions, positions);
            foreach (var b in seen[i])
            {
                var block = _layers[i].Blocks[b];
                block.Holders++;
                fork._layers[i].Blocks.Add(b, block);
            }
        }

        return fork;
    }

    private Layer Of(int layer) => _layers[layer - firstLayer];

    /// <summary>Start and end of the last write, and the blocks held by their index.</summary>
    private sealed class Layer
    {
        public int Start { get; set; }
        public int End { get; set; }
        public Dictionary<int, TorchKvBlock> Blocks { get; } = [];
    }
}
