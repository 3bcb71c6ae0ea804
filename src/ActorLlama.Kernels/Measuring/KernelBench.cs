using System.Diagnostics;
using System.Runtime.InteropServices;

namespace ActorLlama.Kernels;

/// <summary>
/// Times the kernels as a model of random weights uses them: matrices one after another, more of them than a cache holds, so that weights come from memory.
/// Owns half a gigabyte; dispose it.
/// </summary>
public sealed unsafe class KernelBench : IDisposable
{
    private const long PoolBytes = 512L << 20;
    private const int MostRows = 512, Batches = 3;
    private static readonly TimeSpan s_batch = TimeSpan.FromMilliseconds(150);

    private readonly ThreadTeam _team;
    private readonly int _width, _hidden;
    private readonly MappedMemory _memory;
    private readonly byte* _pool;
    private readonly float* _x, _y, _gate, _up;

    /// <param name="team">Runs the kernels.</param>
    /// <param name="width">Width of rows; a multiple of 64, as is <paramref name="hidden"/>.</param>
    /// <param name="hidden">Hidden width of the gated FFN.</param>
    public KernelBench(ThreadTeam team, int width, int hidden)
    {
        if (width < 64 || width % 64 != 0) throw new InvalidDataException($"Bench: the width is {width}; it is a multiple of 64.");
        if (hidden < 64 || hidden % 64 != 0) throw new InvalidDataException($"Bench: the hidden width is {hidden}; it is a multiple of 64.");
        if (6L * width * hidden > PoolBytes) throw new InvalidDataException($"Bench: an expert of {width} x {hidden} takes more than {PoolBytes} bytes. Ask for less.");
        (_team, _width, _hidden) = (team, width, hidden);
        _memory = new MappedMemory(PoolBytes);
        _pool = (byte*)_memory.Address;
        var random = new Random(1);
        // Small numbers of either sign in bfloat16; as float32 they are small as well.
        var words = new Span<ushort>(_pool, 1 << 20);
        foreach (ref var word in words) word = Bf16.FromSingle((random.NextSingle() - 0.5f) / 16);
        for (var at = 2L << 20; at < PoolBytes; at += 2 << 20) Buffer.MemoryCopy(_pool, _pool + at, 2 << 20, Math.Min(2 << 20, PoolBytes - at));
        var values = (long)MostRows * Math.Max(width, hidden);
        _x = Values(values);
        _y = Values(values);
        _gate = Values(values);
        _up = Values(values);
        for (var i = 0L; i < values; i++) _x[i] = random.NextSingle() - 0.5f;
    }

    /// <summary>A matrix in packed panels.</summary>
    public KernelFigure Linear(int rows)
    {
        var bytes = WeightPanels.PackedBytes(isBf16: true, _hidden, _width);
        var seconds = Time(bytes, at => Product.Run(
            _team, new Product(WeightPanels.Packed((nint)(_pool + at), true, _hidden, _width), _x, _width, rows, _y, _hidden, round: false)));
        return new KernelFigure("linear, packed", rows, seconds, bytes, 2.0 * rows * _width * _hidden);
    }

    /// <summary>A matrix of 8 bits.</summary>
    public KernelFigure Int8(int rows)
    {
        var bytes = (long)_hidden * _width;
        var seconds = Time(bytes, at => Product.Run(
            _team, new Product(WeightPanels.PackedInt8((nint)(_pool + at), (nint)_x, _hidden, _width), _x, _width, rows, _y, _hidden, round: false)));
        return new KernelFigure("linear, int8", rows, seconds, bytes, 2.0 * rows * _width * _hidden);
    }

    /// <summary>An expert's gated FFN with matrices in packed panels.</summary>
    public KernelFigure Expert(int rows) => Ffn("expert, packed", rows, at => PackedAt(at, 0, rows));

    /// <summary>An expert's gated FFN, its [in,out] matrices read where they lie.</summary>
    public KernelFigure ExpertInPlace(int rows) => Ffn("expert, in place", rows, at => new FfnGroup(
        WeightPanels.InPlace(at, true, _width, 2L * _hidden, 0, _hidden), WeightPanels.InPlace(at, true, _width, 2L * _hidden, _hidden, _hidden),
        WeightPanels.InPlace(at + (nint)(4L * _width * _hidden), true, _hidden, _width, 0, _width), 0, rows));

    /// <summary>A layer's experts when many sequences decode: a shared one over all rows, and routed ones of two rows each, one after the other or at once.</summary>
    public KernelFigure SharedAndRouted(int rows, bool atOnce)
    {
        var expert = 6L * _width * _hidden;
        var routed = (int)Math.Min(rows / 2, PoolBytes / expert - 1);
        var bytes = (routed + 1) * expert;
        var seconds = Time(bytes, at =>
        {
            var shared = new FfnJob([PackedAt((nint)(_pool + at), 0, rows)], _x, _gate, _up, _y, round: false);
            // Rows behind those of the shared one.
            var others = new FfnJob([.. Enumerable.Range(0, routed).Select(i => PackedAt((nint)(_pool + at + (i + 1) * expert), rows + 2 * i, 2))], _x, _gate, _up, _y, round: false);
            if (atOnce)
            {
                GatedFfn.Run(_team, others, shared);
                return;
            }
            GatedFfn.Run(_team, shared);
            GatedFfn.Run(_team, others);
        });
        return new KernelFigure($"shared + {routed} of 2, {(atOnce ? "at once" : "apart")}", rows, seconds, bytes, 6.0 * (rows + 2 * routed) * _width * _hidden);
    }

    /// <summary>The last positions of a sequence attend to all of it: 4 KV heads of 64, 4 queries each, float32 cache.</summary>
    public KernelFigure Attention(int rows, int context)
    {
        const int queries = 4;
        var layout = new KvLayout(4, 64, IsBf16: false);
        var blocks = (context + KvLayout.Positions - 1) / KvLayout.Positions;
        var width = layout.KvHeads * queries * layout.HeadDim;
        var seconds = Time(blocks * layout.BlockBytes, at =>
        {
            var places = new nint[blocks];
            for (var b = 0; b < blocks; b++) places[b] = (nint)(_pool + at + b * layout.BlockBytes);
            var together = BlockAttention.PositionsTogether(queries);
            _team.For((rows + together - 1) / together * layout.KvHeads, (unit, thread) =>
            {
                var (row, head) = (unit / layout.KvHeads * together, unit % layout.KvHeads);
                var place = (long)row * width + head * queries * layout.HeadDim;
                BlockAttention.Run(layout, head, _x + place, width, queries, Math.Min(together, rows - row), 0, context - rows + row, places, _y + place, round: false, _team.Scratch(thread));
            });
        });
        var seen = rows * (context - (rows - 1) / 2.0);
        return new KernelFigure($"attention to {context}", rows, seconds, blocks * layout.BlockBytes, 4.0 * seen * width);
    }

    public void Dispose()
    {
        _memory.Dispose();
        foreach (var values in (ReadOnlySpan<nint>)[(nint)_x, (nint)_y, (nint)_gate, (nint)_up]) NativeMemory.AlignedFree((void*)values);
    }

    private KernelFigure Ffn(string name, int rows, Func<nint, FfnGroup> groupAt)
    {
        var bytes = 6L * _width * _hidden;
        var seconds = Time(bytes, at => GatedFfn.Run(_team, new FfnJob([groupAt((nint)(_pool + at))], _x, _gate, _up, _y, round: false)));
        return new KernelFigure(name, rows, seconds, bytes, 6.0 * rows * _width * _hidden);
    }

    private FfnGroup PackedAt(nint at, int firstRow, int rows)
    {
        var part = (nint)WeightPanels.PackedBytes(isBf16: true, _hidden, _width);
        return new FfnGroup(
            WeightPanels.Packed(at, true, _hidden, _width), WeightPanels.Packed(at + part, true, _hidden, _width), WeightPanels.Packed(at + 2 * part, true, _width, _hidden), firstRow, rows);
    }

    private static float* Values(long count) => (float*)NativeMemory.AlignedAlloc((nuint)count * sizeof(float), 64);

    /// <summary>Seconds of a call, of the best of several batches; each call is given the next place in the pool.</summary>
    private double Time(long bytes, Action<long> call)
    {
        if (bytes > PoolBytes) throw new InvalidDataException($"Bench: {bytes} bytes of one call are more than {PoolBytes}. Ask for less.");
        var best = double.MaxValue;
        var at = 0L;
        // The first compiles.
        call(at);
        for (var batch = 0; batch < Batches; batch++)
        {
            var clock = Stopwatch.StartNew();
            var calls = 0;
            for (; clock.Elapsed < s_batch; calls++)
            {
                at = at + 2 * bytes > PoolBytes ? 0 : at + bytes;
                call(at);
            }
            best = Math.Min(best, clock.Elapsed.TotalSeconds / calls);
        }
        return best;
    }
}
