using ActorLlama.Kernels;

namespace ActorLlama.Model;

public sealed unsafe partial class CpuBackend
{
    public Qkv Position(Qkv qkv, int layer, RowBatch rows)
    {
        var (fromQ, fromK) = (Of(qkv.Q), Of(qkv.K));
        Require("Position", "the number of rows", fromQ.Rows, rows.Rows);
        var (q, k) = New(fromQ.Rows, fromQ.Width, fromK.Width);
        var usesRope = _config.UsesRope[layer];
        if (usesRope) _rotary.Prepare(rows.Positions.AsSpan());
        ForRows(rows.Rows, q.Width, (first, end) =>
        {
            for (var row = first; row < end; row++)
            {
                if (usesRope)
                {
                    RotateHeads(fromQ.Row(row), q.Row(row), _config.QueryHeads, rows.Positions[row]);
                    RotateHeads(fromK.Row(row), k.Row(row), _config.KvHeads, rows.Positions[row]);
                    continue;
                }
                if (_config.TemperatureTuning)
                    RowMath.Scale(fromQ.Row(row), AttentionTemperature.At(_config, rows.Positions[row]), q.Width, q.Row(row), _round);
                else Copy(fromQ.Row(row), q.Row(row), q.Width);
                Copy(fromK.Row(row), k.Row(row), k.Width);
            }
        });
        return new Qkv(q, k, qkv.V);
    }

    public Activation Attend(Qkv qkv, int layer, RowBatch rows)
    {
        CpuActivation q = Of(qkv.Q), k = Of(qkv.K), v = Of(qkv.V);
        Require("Attend", "the number of rows", q.Rows, rows.Rows);
        Require("Attend", "the width of q", q.Width, _config.QueryHeads * _config.HeadDim);
        var places = Store(k, v, layer, rows);
        var y = New(q.Rows, q.Width);
        var (kvHeads, queries) = (_config.KvHeads, _config.QueryHeads / _config.KvHeads);
        var groups = Neighbours(layer, rows, BlockAttention.PositionsTogether(queries));
        _team.For(groups.Count * kvHeads, (unit, thread) =>
        {
            var ((row, count), head) = (groups[unit / kvHeads], unit % kvHeads);
            var (place, position, at) = (places[row], rows.Positions[row], head * queries * _config.HeadDim);
            BlockAttention.Run(
                _kvLayout, head, q.Row(row) + at, q.Width, queries, count, place.FirstKey(layer, position), position, place.Blocks(layer), y.Row(row) + at, _round, _team.Scratch(thread));
        }, Work(rows, layer));
        return y;
    }

    /// <summary>Rows at neighbouring positions of one sequence that see keys from the same one on: the first and how many.</summary>
    private List<(int Row, int Count)> Neighbours(int layer, RowBatch rows, int most)
    {
        var groups = new List<(int Row, int Count)>();
        var chunk = _config.ChunkOf(layer) ?? int.MaxValue;
        var row = 0;
        foreach (var sequence in rows.Sequences)
            for (int position = sequence.Start, end = sequence.Start + sequence.Count, count; position < end; position += count, row += count)
                groups.Add((row, count = Math.Min(Math.Min(most, end - position), chunk - position % chunk)));
        return groups;
    }

    private void RotateHeads(float* from, float* to, int heads, int position)
    {
        var dim = _config.HeadDim;
        for (var head = 0; head < heads; head++, from += dim, to += dim)
        {
            RowMath.Rotate(from, _rotary.At(position), to, _round);
            if (_config.QkNorm) RowMath.UnitNorm(to, dim, _eps, to, _round);
        }
    }

    /// <summary>Writes the rows' keys and values. Returns the cache of each row.</summary>
    private CpuKvCache[] Store(CpuActivation k, CpuActivation v, int layer, RowBatch rows)
    {
        var places = new CpuKvCache[rows.Rows];
        var row = 0;
        foreach (var sequence in rows.Sequences)
        {
            var cache = sequence.Cache as CpuKvCache ?? throw new ArgumentException($"Attend: a cache of type {sequence.Cache?.GetType().Name ?? "null"} was given; make it with this backend's NewCache.");
            if (sequence.Count > 0 && Array.IndexOf(places, cache, 0, row) >= 0) throw new ArgumentException("Attend: one cache appears twice in a batch. Send its rows as one range.");
            cache.Begin(layer, sequence.Start, sequence.Count);
            for (var i = 0; i < sequence.Count; i++) places[row++] = cache;
        }
        ForRows(rows.Rows, k.Width, (first, end) =>
        {
            for (var r = first; r < end; r++)
            {
                var position = rows.Positions[r];
                _kvLayout.Write(places[r].Blocks(layer)[position / KvCache.BlockPositions], position % KvCache.BlockPositions, k.Row(r), v.Row(r));
            }
        });
        return places;
    }

    /// <summary>Multiply-adds of attending, roughly.</summary>
    private long Work(RowBatch rows, int layer)
    {
        var seen = 0L;
        foreach (var sequence in rows.Sequences) seen += (long)sequence.Count * Math.Min(sequence.Start + sequence.Count, _config.ChunkOf(layer) ?? int.MaxValue);
        return seen * 2 * _config.QueryHeads * _config.HeadDim;
    }
}
