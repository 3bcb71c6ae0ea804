using System.Runtime.InteropServices;

namespace ActorLlama.Model;

/// <summary>One sequence's keys and values in blocks of native memory, in the type of the activations.</summary>
internal sealed class CpuKvCache : KvCache
{
    private sealed class LayerBlocks
    {
        /// <summary>Block b holds positions from 64·b; 0 where it was trimmed.</summary>
        public readonly List<nint> Blocks = [];
        public int Length, LastStart, Trimmed;
    }

    private readonly CpuKvBlocks _pool;
    private readonly int _firstLayer;
    private readonly int?[] _chunks;
    private readonly LayerBlocks[] _layers;
    private long _blocksHeld;
    private bool _disposed;

    public CpuKvCache(CpuKvBlocks pool, LlamaConfig config, int firstLayer, int layers)
        : this(pool, firstLayer, [.. Enumerable.Range(firstLayer, layers).Select(config.ChunkOf)])
    {
    }

    private CpuKvCache(CpuKvBlocks pool, int firstLayer, int?[] chunks)
    {
        (_pool, _firstLayer, _chunks) = (pool, firstLayer, chunks);
        _layers = [.. chunks.Select(_ => new LayerBlocks())];
    }

    /// <summary>Positions that every layer of the stage holds.</summary>
    public override int Length => _layers.Length == 0 ? 0 : _layers.Min(l => l.Length);

    public override long Bytes => _blocksHeld * _pool.Layout.BlockBytes;

    /// <summary>Makes room for the rows [start, start + count) of a layer and lets go of what its mask no longer shows.</summary>
    public void Begin(int layer, int start, int count)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        var held = Of(layer);
        if (start > held.Length || start < held.LastStart)
            throw new InvalidOperationException(
                $"KV cache: rows of layer {layer} start at position {start}, but may start from {held.LastStart} (the last batch's start) "
                + $"to {held.Length} (the first position not written). Send the positions in between first, or a fresh cache.");
        if (_chunks[layer - _firstLayer] is { } chunk)
            for (var end = start / chunk * chunk / BlockPositions; held.Trimmed < end; held.Trimmed++) Free(held, held.Trimmed);
        while (held.Blocks.Count * (long)BlockPositions < (long)start + count)
        {
            held.Blocks.Add(_pool.Rent());
            _blocksHeld++;
        }
        (held.LastStart, held.Length) = (start, start + count);
    }

    /// <summary>The blocks of a layer; valid until the next <see cref="Begin"/>.</summary>
    public ReadOnlySpan<nint> Blocks(int layer) => CollectionsMarshal.AsSpan(Of(layer).Blocks);

    /// <summary>First position that a row at <paramref name="position"/> of this layer sees (spec 2.7).</summary>
    public int FirstKey(int layer, int position) => _chunks[layer - _firstLayer] is { } chunk ? position / chunk * chunk : 0;

    public override void Dispose()
    {
        if (_disposed) return;
        _disposed = true;
        foreach (var held in _layers)
            for (var b = held.Trimmed; b < held.Blocks.Count; b++) Free(held, b);
    }

    protected override CpuKvCache? Fork(int positions)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        for (var i = 0; i < _layers.Length; i++)
            if (FirstBlock(i, positions) is var first && first < positions / BlockPositions && first < _layers[i].Trimmed) return null;
        var fork = new CpuKvCache(_pool, _firstLayer, _chunks);
        for (var i = 0; i < _layers.Length; i++)
        {
            var (from, to) = (_layers[i].Blocks, fork._layers[i]);
            (to.Length, to.LastStart, to.Trimmed) = (positions, positions, FirstBlock(i, positions));
            for (var b = 0; b < positions / BlockPositions; b++)
            {
                to.Blocks.Add(b < to.Trimmed ? 0 : from[b]);
                if (b < to.Trimmed) continue;
                _pool.Share(from[b]);
                fork._blocksHeld++;
            }
        }

        return fork;
    }

    /// <summary>First block that a row of that layer at <paramref name="position"/> sees.</summary>
    private int FirstBlock(int layerIndex, int position) => _chunks[layerIndex] is { } chunk ? position / chunk * chunk / BlockPositions : 0;

    private LayerBlocks Of(int layer) => layer >= _firstLayer && layer < _firstLayer + _layers.Length
        ? _layers[layer - _firstLayer]
        : throw new ArgumentOutOfRangeException(nameof(layer), $"KV cache: layer {layer} is not among its layers {_firstLayer} to {_firstLayer + _layers.Length - 1}.");

    private void Free(LayerBlocks held, int block)
    {
        _pool.Return(held.Blocks[block]);
        held.Blocks[block] = 0;
        _blocksHeld--;
    }
}
