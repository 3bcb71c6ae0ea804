using ActorLlama.Protocol;

namespace ActorLlama.Planning.Placement;

/// <summary>Bytes of a model's parts.</summary>
internal static class ModelBytes
{
    /// <summary>Positions per block of a KV cache.</summary>
    private const int KvBlock = 64;

    /// <summary>Positions that a layer's cache reserves for a pipeline's room.</summary>
    public static long KvPositions(LayerShape layer, int positions, int sequences) =>
        layer.Chunk is { } chunk ? Math.Min(positions, sequences * ChunkPositions(chunk)) : positions;

    public static long KvBytes(LayerShape layer, int positions, int sequences) =>
        layer.KvBytesPerPosition * KvPositions(layer, positions, sequences);

    /// <summary>Weights of a layer range: the embedding is on the first stage, the final norm and the head on the last.</summary>
    public static long StageWeights(ModelShape shape, int first, int layers)
    {
        var bytes = first == 0 ? shape.EmbedBytes : 0;
        for (var i = first; i < first + layers; i++) bytes += shape.Layers[i].TrunkBytes;
        return first + layers == shape.Layers.Length ? bytes + shape.HeadBytes : bytes;
    }

    public static long StageKv(ModelShape shape, int first, int layers, PlanOptions options)
    {
        long bytes = 0;
        for (var i = first; i < first + layers; i++) bytes += KvBytes(shape.Layers[i], options.KvPositions, options.KvSequences);
        return bytes;
    }

    /// <summary>Everything that the options ask for, however it is divided.</summary>
    public static long Total(ModelShape shape, PlanOptions options)
    {
        var layers = shape.Layers.Length;
        var pipeline = StageWeights(shape, 0, layers) + StageKv(shape, 0, layers, options);
        return options.Pipelines * pipeline + (HasExperts(shape) ? options.Replicas * shape.Experts * shape.ExpertBytes : 0);
    }

    public static bool HasExperts(ModelShape shape) => shape.MoeLayers > 0 && shape.Experts > 0;

    /// <summary>A chunk may straddle one block more than it fills, unless blocks and chunks have common borders.</summary>
    private static long ChunkPositions(int chunk)
    {
        var blocks = (chunk + KvBlock - 1L) / KvBlock;
        var aligned = chunk % KvBlock == 0 || KvBlock % chunk == 0;
        return (aligned ? blocks : blocks + 1) * KvBlock;
    }
}
