namespace ActorLlama.Model;

/// <summary>RoPE's base and scaling in their old (<c>rope_theta</c>, <c>rope_scaling</c>) and new (<c>rope_parameters</c>) spelling.</summary>
internal static class RopeSettings
{
    private const double DefaultTheta = 500000;

    public static (double Theta, RopeScaling? Scaling) Read(ConfigSection text)
    {
        var outer = text.Positive("rope_theta", DefaultTheta);
        if ((text.Section("rope_parameters") ?? text.Section("rope_scaling")) is not { } rope) return (outer, null);
        return (rope.Positive("rope_theta", outer), Scaling(rope, text));
    }

    private static RopeScaling? Scaling(ConfigSection rope, ConfigSection text)
    {
        var key = rope.Find("rope_type") is null ? "type" : "rope_type";
        switch (rope.Text(key))
        {
            case null or "default": return null;
            case "llama3": break;
            default: throw rope.Fault(key, "it must be \"llama3\" or \"default\".");
        }
        rope.RequireAll("factor", "low_freq_factor", "high_freq_factor");
        const string original = "original_max_position_embeddings";
        var holder = rope.Find(original) is null && text.Find(original) is not null ? text : rope;
        var scaling = new RopeScaling(
            rope.Positive("factor"), rope.Positive("low_freq_factor"), rope.Positive("high_freq_factor"), holder.Count(original));
        return scaling.HighFreqFactor >= scaling.LowFreqFactor
            ? scaling
            : throw rope.Fault("high_freq_factor", $"it must not be below \"low_freq_factor\" {scaling.LowFreqFactor}.");
    }
}
