namespace ActorLlama.Model.Tests;

/// <summary>Short ways to run a decoder in tests.</summary>
internal static class Decoding
{
    /// <summary>All rows of an activation, one after the other.</summary>
    public static float[] Values(this IBackend backend, Activation x)
    {
        var values = new float[x.Rows * x.Width];
        for (var row = 0; row < x.Rows; row++) backend.CopyRow(x, row, values.AsSpan(row * x.Width, x.Width));
        return values;
    }

    /// <summary>Logits [rows, V] of all rows of a batch of (cache, start, ids).</summary>
    public static float[] Run(this LlamaDecoder decoder, IBackend backend, params (KvCache Cache, int Start, int[] Ids)[] sequences)
    {
        var batch = new RowBatch([.. sequences.Select(s => new SequenceRows(s.Cache, s.Start, s.Ids.Length))]);
        using var logits = decoder.Forward(batch, [.. sequences.SelectMany(s => s.Ids)], [.. Enumerable.Range(0, batch.Rows)]);
        return backend.Values(logits);
    }

    /// <summary>Logits [ids, V] of one prompt, run in chunks of at most <paramref name="chunk"/> tokens.</summary>
    public static float[] Prefill(this LlamaDecoder decoder, IBackend backend, int[] ids, int chunk = int.MaxValue)
    {
        using var cache = decoder.NewCache();
        var logits = new List<float>();
        var start = 0;
        foreach (var part in ids.Chunk(chunk))
        {
            logits.AddRange(decoder.Run(backend, (cache, start, part)));
            start += part.Length;
        }
        return [.. logits];
    }

    public static int ArgMax(ReadOnlySpan<float> values)
    {
        var best = 0;
        for (var i = 1; i < values.Length; i++)
            if (values[i] > values[best]) best = i;
        return best;
    }
}
