using ActorLlama.Model;

namespace ActorLlama.Checkpoints;

/// <summary>The one name map from canonical parameters to the tensors of llama.cpp's <c>llama4</c> architecture.</summary>
internal static class GgufNames
{
    public const string RopeFactors = "rope_freqs.weight";

    /// <summary>Tensors that a parameter becomes: its name there, and the view of it that is stored.</summary>
    public static IEnumerable<(string Name, TensorView View)> Of(Parameter parameter, TensorView view)
    {
        var inLayer = parameter.Layer is { } layer ? $"blk.{layer}." : "";
        if (parameter.Group != ParameterGroup.Experts) return [($"{inLayer}{NameOf(parameter.Name)}.weight", view)];
        // [E,in,out] here, [E,out,in] there.
        if (parameter.Name.EndsWith(".down", StringComparison.Ordinal)) return [($"{inLayer}ffn_down_exps.weight", Turned(view))];
        var hidden = view.Shape[2] / 2;
        return [($"{inLayer}ffn_gate_exps.weight", Turned(view.Slice(2, 0, hidden))), ($"{inLayer}ffn_up_exps.weight", Turned(view.Slice(2, hidden, hidden)))];
    }

    private static string NameOf(string canonicalName) => canonicalName switch
    {
        ParameterNames.Embed => "token_embd",
        ParameterNames.FinalNorm => "output_norm",
        ParameterNames.LmHead => "output",
        _ => canonicalName[(canonicalName.IndexOf('.', "text.layers.".Length) + 1)..] switch
        {
            "attn_norm.weight" => "attn_norm",
            "ffn_norm.weight" => "ffn_norm",
            "attn.q.weight" => "attn_q",
            "attn.k.weight" => "attn_k",
            "attn.v.weight" => "attn_v",
            "attn.o.weight" => "attn_output",
            "moe.router.weight" => "ffn_gate_inp",
            "moe.shared.gate.weight" => "ffn_gate_shexp",
            "moe.shared.up.weight" => "ffn_up_shexp",
            "moe.shared.down.weight" => "ffn_down_shexp",
            "mlp.gate.weight" => "ffn_gate",
            "mlp.up.weight" => "ffn_up",
            "mlp.down.weight" => "ffn_down",
            _ => throw new KeyNotFoundException($"Checkpoint: no name is known for parameter \"{canonicalName}\" in a GGUF file."),
        },
    };

    private static TensorView Turned(TensorView experts) =>
        TensorView.Stack([.. Enumerable.Range(0, (int)experts.Shape[0]).Select(expert => experts.At(expert).Transposed())]);
}
