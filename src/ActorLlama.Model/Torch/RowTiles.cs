using static TorchSharp.torch;

namespace ActorLlama.Model;

/// <summary>
/// Calls of one shape. Libraries for GPUs choose a kernel, and with it the order of its sums, by the shapes of a call; so rows go in tiles of a fixed number, the last one
/// filled up with zeros, and a row has the same bits whatever else is in the batch.
/// </summary>
internal static class RowTiles
{
    /// <summary>
    /// Rows of a tile. A weight is read once for a tile, and as long as reading takes longer than multiplying (some 300 rows on an H100), rows of zeros cost nothing that a
    /// clock shows.
    /// </summary>
    public const int Rows = 64;

    /// <summary>
    /// <paramref name="f"/> of each tile, rows in order. It takes a tile of each of <paramref name="rows"/>, which have as many rows as each other, and its result has a row for
    /// each of theirs.
    /// </summary>
    public static Tensor Map(Func<Tensor[], Tensor> f, params Tensor[] rows)
    {
        var count = rows[0].shape[0];
        var parts = new List<Tensor>();
        for (long at = 0; at < count; at += Rows) parts.Add(f([.. rows.Select(x => Tile(x, at))]));
        if (parts.Count == 0) return f(rows);
        return TorchMath.Joined(parts).narrow(0, 0, count);
    }

    /// <summary>Rows from <paramref name="at"/> on, and zeros after the last.</summary>
    public static Tensor Tile(Tensor x, long at) => Filled(x.narrow(0, at, Math.Min(Rows, x.shape[0] - at)), 0, Rows);

    /// <summary><paramref name="rows"/> rows: zeros, x, zeros.</summary>
    public static Tensor Filled(Tensor x, long before, long rows)
    {
        var parts = new List<Tensor>();
        if (before > 0) parts.Add(Zeros(before));
        parts.Add(x);
        if (rows - before - x.shape[0] is > 0 and var after) parts.Add(Zeros(after));
        return TorchMath.Joined(parts).contiguous();

        Tensor Zeros(long count) => zeros([count, .. x.shape[1..]], x.dtype, x.device);
    }
}
