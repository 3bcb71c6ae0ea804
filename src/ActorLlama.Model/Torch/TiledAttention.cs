using TorchSharp;
using static TorchSharp.torch;

namespace ActorLlama.Model;

/// <summary>
/// <see cref="TorchMath.Attention"/> in calls of one shape: queries by <see cref="RowTiles.Rows"/>, keys by <see cref="Keys"/>, cut at positions that are multiples of it. A
/// softmax over tiles keeps the greatest score and rescales (Milakov and Gimelshein 2018, arXiv:1805.02867); a tile of which a query sees nothing changes nothing, to the bit. So
/// a query's result depends on what it sees alone, not on how the prompt was cut.
/// </summary>
internal static class TiledAttention
{
    /// <summary>Keys of a tile.</summary>
    public const int Keys = 256;

    /// <summary>Queries [n,Hq,h] at positions firstQuery.. over keys and values [m,Hk,h] at positions firstKey..: [n, Hq·h].</summary>
    public static Tensor Run(Tensor q_nHh, Tensor k_mGh, Tensor v_mGh, int firstQuery, int firstKey, int? chunk)
    {
        long n = q_nHh.shape[0], heads = q_nHh.shape[1], width = q_nHh.shape[2], groups = k_mGh.shape[1];
        var begin = firstKey / Keys * Keys;
        var tiles = (int)((firstKey + k_mGh.shape[0] - begin + Keys - 1) / Keys);
        var k_Ghm = Filled(k_mGh).permute(1, 2, 0);
        var v_Gmh = Filled(v_mGh).permute(1, 0, 2);
        var parts = new List<Tensor>();
        for (long at = 0; at < n; at += RowTiles.Rows)
        {
            var q_GRh = RowTiles.Tile(q_nHh, at).to(ScalarType.Float32).view(RowTiles.Rows, groups, heads / groups, width)
                .permute(1, 2, 0, 3).reshape(groups, -1, width);
            parts.Add(Attend(q_GRh, firstQuery + at).view(groups, heads / groups, RowTiles.Rows, width).permute(2, 0, 1, 3).reshape(RowTiles.Rows, heads * width));
        }
        return TorchMath.Joined(parts).narrow(0, 0, n).to(q_nHh.dtype);

        Tensor Filled(Tensor x) => RowTiles.Filled(x, firstKey - begin, (long)tiles * Keys).to(ScalarType.Float32);

        Tensor Attend(Tensor q_GRh, long first)
        {
            using Scalar scale = 1 / Math.Sqrt(width), never = double.NegativeInfinity, zero = 0.0;
            // Nothing seen so far: the greatest score is -inf, sums are 0.
            var greatest_GR1 = full([groups, q_GRh.shape[1], 1], never, ScalarType.Float32, q_GRh.device);
            var sum_GR1 = zeros_like(greatest_GR1);
            var out_GRh = zeros_like(q_GRh);
            for (var tile = 0; tile < tiles; tile++)
            {
                var (from, key) = ((long)tile * Keys, begin + (long)tile * Keys);
                if (key > first + RowTiles.Rows - 1) break;
                var hidden_nm = TorchMath.Hidden(first, RowTiles.Rows, key, Keys, chunk, q_GRh.device);
                var s_GRm = q_GRh.matmul(k_Ghm.narrow(2, from, Keys).contiguous()).mul(scale).view(groups, -1, RowTiles.Rows, Keys).masked_fill(hidden_nm, never).view(groups, -1, Keys);
                var next_GR1 = greatest_GR1.maximum(s_GRm.amax([-1], keepdim: true));
                var base_GR1 = next_GR1.masked_fill(next_GR1.isneginf(), zero);
                Tensor keep_GR1 = (greatest_GR1 - base_GR1).exp(), p_GRm = (s_GRm - base_GR1).exp();
                sum_GR1 = (sum_GR1 * keep_GR1).Plus(p_GRm.sum(-1, keepdim: true));
                out_GRh = (out_GRh * keep_GR1).Plus(p_GRm.matmul(v_Gmh.narrow(1, from, Keys).contiguous()));
                greatest_GR1 = next_GR1;
            }
            return out_GRh / sum_GR1;
        }
    }
}
