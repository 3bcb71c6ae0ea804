namespace ActorLlama.Checkpoints;

/// <summary>
/// Keys of the unscanned layout under which routed experts lie one by one, as nodes that each hold some of them write them:
/// <c>text.layers.3.moe.experts.gate_up</c> is made of <c>text.layers.3.moe.experts.0.gate_up</c> and so on, each [in,out].
/// </summary>
internal static class ExpertKeys
{
    public static string Of(string canonicalName, long expert)
    {
        var dot = canonicalName.LastIndexOf('.');
        return $"{canonicalName[..dot]}.{expert}{canonicalName[dot..]}";
    }
}
