using TorchSharp;
using static TorchSharp.torch;

namespace ActorLlama.Model;

/// <summary>
/// Formulas of spec section 2 on tensors, differentiable. Each rounds to the activations' type exactly where design section 8 says.
/// Every number goes to libtorch as a <c>using Scalar</c>: the binding does not keep alive the one it makes of a plain double, and the
/// garbage collector has freed it in the middle of the call.
/// </summary>
internal static class TorchMath
{
    // Scores of one attention tile: 256 MiB of float32.
    private const long TileScores = 1L << 26;

    // Rows of the head that are widened to float32 at a time.
    private const long HeadTile = 8192;

    /// <summary>x · Wᵀ for W [out,in], summed in float32 and rounded once.</summary>
    public static Tensor Linear(Tensor x_TI, Tensor weight_OI) => x_TI.dtype == weight_OI.dtype ? nn.functional.linear(x_TI, weight_OI) : Product(x_TI, weight_OI.t());

    /// <summary>x · W for W [in,out], summed in float32 and rounded once.</summary>
    public static Tensor Product(Tensor x_TI, Tensor weight_IO) => x_TI.dtype == weight_IO.dtype
        ? x_TI.matmul(weight_IO)
        : x_TI.to(ScalarType.Float32).matmul(weight_IO.to(ScalarType.Float32)).to(x_TI.dtype);

    /// <summary>RMSNorm: float32 inside, rounded before and after the gains.</summary>
    public static Tensor Norm(Tensor x_TD, Tensor gain_D, double eps)
    {
        var normalized_TD = Normalized(x_TD, eps);
        // A product of two of the type is made in float32 and rounded once as well; the gradient of the gains would be summed in that type, though.
        return x_TD.dtype == gain_D.dtype && !gain_D.requires_grad
            ? normalized_TD * gain_D
            : (normalized_TD.to(ScalarType.Float32) * gain_D.to(ScalarType.Float32)).to(x_TD.dtype);
    }

    /// <summary>x · rsqrt(mean(x²) + eps) over the last axis, float32 inside, rounded once.</summary>
    public static Tensor Normalized(Tensor x, double eps)
    {
        var wide = x.to(ScalarType.Float32);
        using Scalar least = eps;
        return (wide * rsqrt((wide * wide).mean([-1], keepdim: true).Plus(least))).to(x.dtype);
    }

    /// <summary>Turns pairs (2j, 2j + 1) of x [T,H,h] by angles, given as complex numbers of length 1 [T,1,h/2].</summary>
    public static Tensor Rotate(Tensor x_THh, Tensor angles_T1p) =>
        (x_THh.to(ScalarType.Float32).reshape(x_THh.shape[0], x_THh.shape[1], -1, 2).view_as_complex() * angles_T1p).view_as_real().reshape(x_THh.shape).to(x_THh.dtype);

    /// <summary>silu(gate) · up, rounded after SiLU and after the product.</summary>
    public static Tensor Gated(Tensor gate_TF, Tensor up_TF) => gate_TF.silu() * up_TF;

    /// <summary>norm(x) · headᵀ in float32, never rounded to the activations' type.</summary>
    public static Tensor Logits(Tensor normed_TD, Tensor head_VD)
    {
        var x_TD = normed_TD.to(ScalarType.Float32);
        if (head_VD.dtype == ScalarType.Float32) return x_TD.matmul(head_VD.t());
        var parts = new List<Tensor>();
        for (long at = 0; at < head_VD.shape[0]; at += HeadTile)
            parts.Add(x_TD.matmul(head_VD.narrow(0, at, Math.Min(HeadTile, head_VD.shape[0] - at)).to(ScalarType.Float32).t()));
        return cat(parts, 1);
    }

    /// <summary>
    /// Attention of queries [n,Hq,h] at positions firstQuery.. over keys and values [m,Hk,h] at positions firstKey..: scores, softmax
    /// and P in float32, rounded once. Query head i uses key head i div (Hq/Hk).
    /// </summary>
    public static Tensor Attention(Tensor q_nHh, Tensor k_mGh, Tensor v_mGh, int firstQuery, int firstKey, int? chunk)
    {
        long n = q_nHh.shape[0], heads = q_nHh.shape[1], width = q_nHh.shape[2], m = k_mGh.shape[0], groups = k_mGh.shape[1];
        var k_Ghm = k_mGh.to(ScalarType.Float32).permute(1, 2, 0);
        var v_Gmh = v_mGh.to(ScalarType.Float32).permute(1, 0, 2);
        var tile = Math.Max(1, TileScores / (heads * m));
        using Scalar scale = 1 / Math.Sqrt(width), never = double.NegativeInfinity;
        var parts = new List<Tensor>();
        for (long at = 0; at < n; at += tile)
        {
            var count = Math.Min(tile, n - at);
            var q_Grh = q_nHh.narrow(0, at, count).to(ScalarType.Float32).view(count, groups, heads / groups, width)
                .permute(1, 2, 0, 3).reshape(groups, -1, width);
            var scores = q_Grh.matmul(k_Ghm).mul(scale).view(groups, heads / groups, count, m);
            if (Mask(firstQuery + at, count, firstKey, m, chunk, q_nHh.device) is { } hidden_nm)
                scores = scores.masked_fill(hidden_nm, never);
            var p_Grm = scores.softmax(-1).view(groups, -1, m);
            parts.Add(p_Grm.matmul(v_Gmh).view(groups, heads / groups, count, width).permute(2, 0, 1, 3).reshape(count, heads * width));
        }
        return Joined(parts).to(q_nHh.dtype);
    }

    /// <summary>The parts one after the other; one alone is not copied.</summary>
    public static Tensor Joined(IList<Tensor> parts) => parts.Count == 1 ? parts[0] : cat(parts);

    /// <summary>What is hidden; null when nothing is.</summary>
    private static Tensor? Mask(long firstQuery, long queries, long firstKey, long keys, int? chunk, Device device)
    {
        if (queries == 1 && firstKey + keys - 1 <= firstQuery && (chunk is not { } size || firstKey / size == firstQuery / size)) return null;
        return Hidden(firstQuery, queries, firstKey, keys, chunk, device);
    }

    /// <summary>[n,m], true where the key is later than the query or in another chunk (spec 2.7).</summary>
    public static Tensor Hidden(long firstQuery, long queries, long firstKey, long keys, int? chunk, Device device)
    {
        using Scalar one = 1L, fromQuery = firstQuery, toQuery = firstQuery + queries, fromKey = firstKey, toKey = firstKey + keys;
        var p_n1 = arange(fromQuery, toQuery, one, ScalarType.Int64, device).unsqueeze(1);
        var k_1m = arange(fromKey, toKey, one, ScalarType.Int64, device).unsqueeze(0);
        var hidden = k_1m.greater(p_n1);
        if (chunk is null) return hidden;
        using Scalar width = (long)chunk;
        return hidden.logical_or(k_1m.div(width, RoundingMode.floor).not_equal(p_n1.div(width, RoundingMode.floor)));
    }
}
