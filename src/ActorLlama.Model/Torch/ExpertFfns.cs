using TorchSharp;
using static TorchSharp.torch;

namespace ActorLlama.Model;

/// <summary>The routed experts' gated FFNs over rows in any order (spec 2.10), forward and backward (6.5).</summary>
internal static class ExpertFfns
{
    /// <summary>Row i through expert experts[i] (absolute) of the group that starts at first. Differentiable.</summary>
    public static Tensor Run(ExpertKernel kernel, Tensor rows_AD, ReadOnlySpan<int> experts, Tensor gateUp_ED2F, Tensor down_EFD, int first)
    {
        if (experts.IsEmpty) return rows_AD.alias();
        var of = ExpertRows.Of(experts, first);
        var gateUp_A2F = kernel.Product(Sorted(rows_AD, of), gateUp_ED2F, of);
        var hidden = down_EFD.shape[1];
        var h_AF = TorchMath.Gated(gateUp_A2F.narrow(1, 0, hidden), gateUp_A2F.narrow(1, hidden, hidden));
        return kernel.Product(h_AF, down_EFD, of).index_select(0, TorchMemory.Indices(of.Back, rows_AD.device));
    }

    /// <summary>The rows' gradient [A,D]; the weights' are added to their sums. Called without gradients.</summary>
    public static Tensor Backward(
        ExpertKernel kernel, Tensor rows_AD, ReadOnlySpan<int> experts, Tensor gateUp_ED2F, Tensor down_EFD, int first,
        Tensor gradient_AD, Tensor gateUpSum_ED2F, Tensor downSum_EFD)
    {
        if (experts.IsEmpty) return gradient_AD.alias();
        var of = ExpertRows.Of(experts, first);
        Tensor sorted_AD = Sorted(rows_AD, of), dy_AD = Sorted(gradient_AD, of);
        var gateUp_A2F = kernel.Product(sorted_AD, gateUp_ED2F, of);
        var hidden = down_EFD.shape[1];
        Tensor gate_AF = gateUp_A2F.narrow(1, 0, hidden), up_AF = gateUp_A2F.narrow(1, hidden, hidden);
        kernel.AddOuter(TorchMath.Gated(gate_AF, up_AF), dy_AD, of, downSum_EFD);
        var dh_AF = kernel.Product(dy_AD, down_EFD.transpose(1, 2), of);
        var dGateUp_A2F = GatedBackward(gate_AF, up_AF, dh_AF);
        kernel.AddOuter(sorted_AD, dGateUp_A2F, of, gateUpSum_ED2F);
        return kernel.Product(dGateUp_A2F, gateUp_ED2F.transpose(1, 2), of).index_select(0, TorchMemory.Indices(of.Back, rows_AD.device));
    }

    private static Tensor Sorted(Tensor rows_AD, ExpertRows of) => rows_AD.index_select(0, TorchMemory.Indices(of.Order, rows_AD.device));

    /// <summary>Gradients of gate and up side by side [A,2F]: silu'(g) = σ(g)·(1 + g·(1 − σ(g))). In float32, rounded once.</summary>
    private static Tensor GatedBackward(Tensor gate_AF, Tensor up_AF, Tensor dh_AF)
    {
        Tensor gate = gate_AF.to(ScalarType.Float32), up = up_AF.to(ScalarType.Float32), dh = dh_AF.to(ScalarType.Float32);
        using Scalar one = 1.0;
        var sigmoid = gate.sigmoid();
        var slope = sigmoid * (gate * sigmoid.neg().Plus(one)).Plus(one);
        return cat([dh * up * slope, dh * gate * sigmoid], 1).to(gate_AF.dtype);
    }
}
