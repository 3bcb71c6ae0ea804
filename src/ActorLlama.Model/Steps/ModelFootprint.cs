namespace ActorLlama.Model;

/// <summary>Bytes that parts of a model take on a device, known before anything is loaded.</summary>
public static class ModelFootprint
{
    /// <summary>Weights of a stage; its embedding, final norm and head where the range begins or ends the model.</summary>
    public static long StageBytes(LlamaConfig config, LayerRange layers, ElementType weights)
    {
        layers.Check(config);
        long elements = 0, embedding = 0;
        foreach (var parameter in ParameterTable.Of(config).Parameters)
        {
            if (parameter.Group == ParameterGroup.Embedding) embedding = parameter.Elements;
            var isHere = parameter switch
            {
                { Group: ParameterGroup.Experts } => false,
                { Layer: { } layer } => layer >= layers.First && layer < layers.End,
                { Group: ParameterGroup.Embedding } => layers.IsFirst,
                _ => layers.IsLast(config),
            };
            if (isHere) elements += parameter.Elements;
        }
        // A tied head is loaded from the embedding's tensor, as a matrix of its own.
        if (config.TieEmbeddings && layers.IsLast(config)) elements += embedding;
        return elements * BytesOf(weights);
    }

    /// <summary>Weights of <paramref name="experts"/> routed experts in all MoE layers.</summary>
    public static long ExpertBytes(LlamaConfig config, int experts, ElementType weights) =>
        config.IsMoe.Count(isMoe => isMoe) * 3L * config.HiddenSize * config.ExpertHidden * experts * BytesOf(weights);

    /// <summary>Keys and values of one position in all layers of the range, nothing trimmed.</summary>
    public static long KvBytesPerToken(LlamaConfig config, LayerRange layers, ActivationType activations) =>
        layers.Count * KvBytesPerLayer(config, activations);

    /// <summary>
    /// Most bytes that the cache of one sequence takes: whole blocks, RoPE layers trimmed to their chunk.
    /// </summary>
    /// <param name="config">The model.</param>
    /// <param name="layers">The stage's layers.</param>
    /// <param name="positions">Length of the sequence.</param>
    /// <param name="batchRows">Most rows of the sequence in one batch: what a batch across a chunk's border keeps of the chunk before.</param>
    /// <param name="activations">Type in which keys and values are held.</param>
    public static long KvBytes(LlamaConfig config, LayerRange layers, int positions, int batchRows, ActivationType activations)
    {
        var perLayer = KvBytesPerLayer(config, activations);
        var whole = Blocks(positions);
        long bytes = 0;
        for (var layer = layers.First; layer < layers.End; layer++)
        {
            // A chunk may begin inside a block, which then is kept whole.
            var held = config.ChunkOf(layer) is { } chunk ? Math.Min(whole, Blocks((long)chunk + batchRows) + 1) : whole;
            bytes += held * KvCache.BlockPositions * perLayer;
        }
        return bytes;
    }

    private static long Blocks(long positions) => (positions + KvCache.BlockPositions - 1) / KvCache.BlockPositions;

    private static long KvBytesPerLayer(LlamaConfig config, ActivationType activations) =>
        2L * config.KvHeads * config.HeadDim * (activations == ActivationType.Float32 ? 4 : 2);

    private static long BytesOf(ElementType type) => type == ElementType.Float32 ? 4 : 2;
}
