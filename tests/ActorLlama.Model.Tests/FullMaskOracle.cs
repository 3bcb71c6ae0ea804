using ActorLlama.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace ActorLlama.Model.Tests;

/// <summary>
/// Spec section 2 once more, independent of the model: whole sequences, an explicit mask matrix, no cache, no batch, float64, one token
/// at a time through the experts.
/// </summary>
internal static class FullMaskOracle
{
    /// <summary>Logits [ids, V].</summary>
    public static float[] Logits(LlamaConfig config, ITensorSource weights, int[] ids)
    {
        TorchRuntime.EnsureLoaded();
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        var embed_VD = W(weights, ParameterNames.Embed);
        var h_TD = embed_VD[tensor(ids.Select(id => (long)id).ToArray())];
        for (var layer = 0; layer < config.Layers; layer++)
        {
            h_TD = h_TD.Plus(Attention(config, weights, layer, Rms(h_TD, config.NormEps) * W(weights, ParameterNames.AttnNorm(layer))));
            var x_TD = Rms(h_TD, config.NormEps) * W(weights, ParameterNames.FfnNorm(layer));
            h_TD = h_TD.Plus(config.IsMoe[layer]
                ? Moe(config, weights, layer, x_TD)
                : Ffn(x_TD, W(weights, ParameterNames.DenseGate(layer)).t(), W(weights, ParameterNames.DenseUp(layer)).t(), W(weights, ParameterNames.DenseDown(layer)).t()));
        }
        var head_VD = config.TieEmbeddings ? embed_VD : W(weights, ParameterNames.LmHead);
        var logits = (Rms(h_TD, config.NormEps) * W(weights, ParameterNames.FinalNorm)).matmul(head_VD.t()).to(ScalarType.Float32).contiguous();
        return [.. logits.data<float>()];
    }

    private static Tensor Attention(LlamaConfig config, ITensorSource weights, int layer, Tensor n_TD)
    {
        long length = n_TD.shape[0], width = config.HeadDim;
        var q_THh = n_TD.matmul(W(weights, ParameterNames.AttnQ(layer)).t()).view(length, -1, width);
        var k_TGh = n_TD.matmul(W(weights, ParameterNames.AttnK(layer)).t()).view(length, -1, width);
        var v_TGh = n_TD.matmul(W(weights, ParameterNames.AttnV(layer)).t()).view(length, -1, width);
        if (config.UsesRope[layer])
        {
            var turns = Turns(config, (int)length);
            (q_THh, k_TGh) = (Turn(q_THh, turns), Turn(k_TGh, turns));
            if (config.QkNorm) (q_THh, k_TGh) = (Rms(q_THh, config.NormEps), Rms(k_TGh, config.NormEps));
        }
        else if (config.TemperatureTuning)
        {
            var factors = Enumerable.Range(1, (int)length).Select(n => 1 + config.AttnScale * Math.Log(1 + Math.Floor(n / config.FloorScale)));
            q_THh = q_THh * tensor(factors.ToArray()).view(-1, 1, 1);
        }
        var repeats = config.QueryHeads / config.KvHeads;
        using Scalar root = Math.Sqrt(width);
        var scores_HTT = q_THh.transpose(0, 1).matmul(k_TGh.repeat_interleave(repeats, 1).permute(1, 2, 0)) / root;
        var p_HTT = scores_HTT.Plus(Mask(config.UsesRope[layer] ? config.AttentionChunk : null, (int)length)).softmax(-1);
        var mixed_TD = p_HTT.matmul(v_TGh.repeat_interleave(repeats, 1).transpose(0, 1)).transpose(0, 1).reshape(length, -1);
        return mixed_TD.matmul(W(weights, ParameterNames.AttnO(layer)).t());
    }

    private static Tensor Mask(int? chunk, int length)
    {
        var mask = new double[length * length];
        for (var p = 0; p < length; p++)
            for (var k = 0; k < length; k++)
                if (k > p || (chunk is { } size && k / size != p / size)) mask[p * length + k] = double.NegativeInfinity;
        return tensor(mask, [length, length]);
    }

    /// <summary>The 2×2 rotation of each pair at each position: [T, pairs, 2, 2].</summary>
    private static Tensor Turns(LlamaConfig config, int length)
    {
        var pairs = config.HeadDim / 2;
        var turns = new double[length * pairs * 4];
        for (var p = 0; p < length; p++)
            for (var j = 0; j < pairs; j++)
            {
                var frequency = Math.Pow(config.RopeTheta, -(double)j / pairs);
                if (config.RopeScaling is { } scaling)
                {
                    // How often the wave turns within the original context decides.
                    var turnsInContext = scaling.OriginalMaxPositions * frequency / (2 * Math.PI);
                    var keep = scaling.HighFreqFactor == scaling.LowFreqFactor
                        ? turnsInContext > scaling.HighFreqFactor ? 1 : 0
                        : Math.Clamp((turnsInContext - scaling.LowFreqFactor) / (scaling.HighFreqFactor - scaling.LowFreqFactor), 0, 1);
                    frequency = keep * frequency + (1 - keep) * frequency / scaling.Factor;
                }
                var (sin, cos) = Math.SinCos(p * frequency);
                new[] { cos, -sin, sin, cos }.CopyTo(turns, (p * pairs + j) * 4);
            }
        return tensor(turns, [length, pairs, 2, 2]);
    }

    private static Tensor Turn(Tensor x_THh, Tensor turns_Tpoi) =>
        einsum("thpi,tpoi->thpo", x_THh.view(x_THh.shape[0], x_THh.shape[1], -1, 2), turns_Tpoi).reshape(x_THh.shape);

    private static Tensor Moe(LlamaConfig config, ITensorSource weights, int layer, Tensor x_TD)
    {
        Tensor router = W(weights, ParameterNames.Router(layer)), gateUp = W(weights, ParameterNames.ExpertsGateUp(layer)), down = W(weights, ParameterNames.ExpertsDown(layer));
        var shared = Ffn(x_TD, W(weights, ParameterNames.SharedGate(layer)).t(), W(weights, ParameterNames.SharedUp(layer)).t(), W(weights, ParameterNames.SharedDown(layer)).t());
        var rows = new List<Tensor>();
        for (long t = 0; t < x_TD.shape[0]; t++)
        {
            var x_1D = x_TD.narrow(0, t, 1);
            var z = x_1D.matmul(router.t()).data<double>().ToArray();
            var row = shared.narrow(0, t, 1);
            foreach (var expert in Enumerable.Range(0, z.Length).OrderByDescending(e => z[e]).ThenBy(e => e).Take(config.ExpertsPerToken))
            {
                var parts = gateUp[expert].chunk(2, 1);
                using Scalar inverse = 1 + Math.Exp(-z[expert]);
                row = row.Plus(Ffn(x_1D / inverse, parts[0], parts[1], down[expert]));
            }
            rows.Add(row);
        }
        return cat(rows);
    }

    private static Tensor Ffn(Tensor x_TD, Tensor gate_DF, Tensor up_DF, Tensor down_FD)
    {
        var gate = x_TD.matmul(gate_DF);
        return (gate * gate.sigmoid() * x_TD.matmul(up_DF)).matmul(down_FD);
    }

    private static Tensor Rms(Tensor x, double eps)
    {
        using Scalar least = eps;
        return x / (x * x).mean([-1], keepdim: true).Plus(least).sqrt();
    }

    private static unsafe Tensor W(ITensorSource weights, string name)
    {
        var stored = weights.Get(name);
        using var memory = stored.Hold();
        var values = new double[stored.Elements];
        for (var i = 0; i < values.Length; i++)
            values[i] = stored.Type == ElementType.Float32
                ? ((float*)memory[0])[i]
                : BitConverter.UInt32BitsToSingle((uint)((ushort*)memory[0])[i] << 16);
        return tensor(values, [.. stored.Shape]);
    }
}
