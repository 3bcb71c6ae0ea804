using ActorLlama.Planning.Tests.Placement;
using ActorLlama.Planning.Training;
using ActorLlama.Protocol;

namespace ActorLlama.Planning.Tests.Training;

/// <summary>Models for training plans.</summary>
internal static class TrainedShapes
{
    /// <summary>The real ones, with the trunk's bytes as one parameter a segment.</summary>
    public static TrainedShape Of(ModelShape model) => new(
        model,
        [
            new("embedding", 0, model.EmbedBytes / 2),
            .. model.Layers.Select((layer, l) => new TrunkParameter($"layer {l}", l + 1, layer.TrunkBytes / 2)),
            new("head", model.Layers.Length + 1, model.HeadBytes / 2),
        ],
        model.ExpertBytes / 2);

    /// <summary>A few parameters, some smaller than there are pieces.</summary>
    public static TrainedShape Small(int experts = 4) => new(
        Shapes.Tiny(2, Math.Max(1, experts), moe: experts > 0),
        [new("embedding", 0, 3001), new("norm", 1, 7), new("q", 1, 640), new("norm", 2, 7), new("router", 2, 12), new("head", 3, 3000)],
        experts > 0 ? 100 : 0);
}
