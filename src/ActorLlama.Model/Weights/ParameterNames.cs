namespace ActorLlama.Model;

/// <summary>Canonical parameter names (spec 3.3).</summary>
public static class ParameterNames
{
    public const string Embed = "text.embed.weight";
    public const string FinalNorm = "text.final_norm.weight";
    public const string LmHead = "text.lm_head.weight";

    public static string AttnNorm(int layer) => $"text.layers.{layer}.attn_norm.weight";
    public static string AttnQ(int layer) => $"text.layers.{layer}.attn.q.weight";
    public static string AttnK(int layer) => $"text.layers.{layer}.attn.k.weight";
    public static string AttnV(int layer) => $"text.layers.{layer}.attn.v.weight";
    public static string AttnO(int layer) => $"text.layers.{layer}.attn.o.weight";
    public static string FfnNorm(int layer) => $"text.layers.{layer}.ffn_norm.weight";
    public static string Router(int layer) => $"text.layers.{layer}.moe.router.weight";
    public static string ExpertsGateUp(int layer) => $"text.layers.{layer}.moe.experts.gate_up";
    public static string ExpertsDown(int layer) => $"text.layers.{layer}.moe.experts.down";
    public static string SharedGate(int layer) => $"text.layers.{layer}.moe.shared.gate.weight";
    public static string SharedUp(int layer) => $"text.layers.{layer}.moe.shared.up.weight";
    public static string SharedDown(int layer) => $"text.layers.{layer}.moe.shared.down.weight";
    public static string DenseGate(int layer) => $"text.layers.{layer}.mlp.gate.weight";
    public static string DenseUp(int layer) => $"text.layers.{layer}.mlp.up.weight";
    public static string DenseDown(int layer) => $"text.layers.{layer}.mlp.down.weight";
}
