using System.Diagnostics;
using ActorLlama.Checkpoints;
using ActorLlama.Kernels;
using ActorLlama.Model;

namespace ActorLlama.Benchmarks.Overhead;

/// <summary>A model on one device without actors: one sequence, the most likely token each time.</summary>
internal sealed class BareDecoder : IDisposable
{
    private const int RowsTogether = 512;
    private readonly Checkpoint _checkpoint;
    private readonly CpuBackend _backend;
    private readonly LlamaDecoder _decoder;
    private readonly KvCache _cache;
    private readonly float[] _logits;
    private int _position, _next;

    public BareDecoder(string model, int threads)
    {
        _checkpoint = CheckpointDirectory.Open(model);
        _backend = new CpuBackend(0, threads, ActivationType.Float32, _checkpoint.Config, copyWeights: true);
        _decoder = LlamaDecoder.Load(_backend, _checkpoint.Config, _checkpoint);
        _cache = _decoder.NewCache();
        _logits = new float[_checkpoint.Config.VocabSize];
    }

    /// <summary>Bytes that the keys and values of the sequence hold.</summary>
    public long KvBytes => _backend.KvBytes;

    /// <summary>Bytes that they must hold (spec 2.8): 2 · KV heads · width, in float32, of every position for layers that see all, of the current chunk's for the others.</summary>
    public long KvBytesByFormula => Enumerable.Range(0, _checkpoint.Config.Layers).Sum(layer =>
        (_checkpoint.Config.ChunkOf(layer) is { } chunk ? (_position - 1) % chunk + 1 : _position) * 2L * _checkpoint.Config.KvHeads * _checkpoint.Config.HeadDim * sizeof(float));

    /// <summary>Runs the ids that follow those it has had.</summary>
    public void Run(ReadOnlySpan<int> ids)
    {
        for (; ids.Length > RowsTogether; ids = ids[RowsTogether..]) Step(ids[..RowsTogether]);
        if (!ids.IsEmpty) Step(ids);
    }

    /// <summary>Milliseconds of a token, over so many.</summary>
    public double Decode(int tokens)
    {
        var clock = Stopwatch.StartNew();
        for (var i = 0; i < tokens; i++) Step([_next]);
        return clock.Elapsed.TotalMilliseconds / tokens;
    }

    public void Dispose()
    {
        _cache.Dispose();
        _decoder.Dispose();
        _backend.Dispose();
        _checkpoint.Dispose();
    }

    private void Step(ReadOnlySpan<int> ids)
    {
        using var logits = _decoder.Forward(new RowBatch([new SequenceRows(_cache, _position, ids.Length)]), ids, [ids.Length - 1]);
        _position += ids.Length;
        _backend.CopyRow(logits, 0, _logits);
        _next = Greatest.IndexIn(_logits);
    }
}
