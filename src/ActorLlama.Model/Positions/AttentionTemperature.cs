namespace ActorLlama.Model;

/// <summary>The factor on NoPE layers' queries, by absolute position (spec 2.6).</summary>
public static class AttentionTemperature
{
    /// <summary>1 + attn_scale · ln(floor((p + 1) / floor_scale) + 1), in double, rounded once; 1 when tuning is off.</summary>
    public static float At(LlamaConfig config, int position) => config.TemperatureTuning
        ? (float)(1 + config.AttnScale * Math.Log(Math.Floor((position + 1.0) / config.FloorScale) + 1))
        : 1;
}
