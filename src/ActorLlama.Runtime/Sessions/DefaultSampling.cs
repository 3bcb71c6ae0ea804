using ActorLlama.Protocol;
using ActorLlama.Runtime.Nodes;

namespace ActorLlama.Runtime.Sessions;

/// <summary>Sampling of a session that asks for none: what the checkpoint recommends, else greedy.</summary>
internal static class DefaultSampling
{
    public static SamplingOptions Of(NodeModel model)
    {
        var defaults = model.Checkpoint.GenerationDefaults;
        return new SamplingOptions(defaults.Temperature, defaults.TopP, defaults.TopK, Seed: 0, RepetitionPenalty: defaults.RepetitionPenalty);
    }
}
