using ActorLlama.Model;

namespace ActorLlama.Checkpoints;

/// <summary>What each owner writes of a checkpoint in layout unscanned, from what its device holds.</summary>
public static class PartContents
{
    /// <summary>
    /// A stage's tensors, under their canonical names. The embedding is the first stage's: with tied embeddings the last one holds it, too, as its head.
    /// </summary>
    public static IReadOnlyList<TensorToWrite> OfStage(TrunkStage stage) =>
    [
        .. stage.Contents.Where(tensor => stage.IsFirst || tensor.Name != ParameterNames.Embed).DistinctBy(tensor => tensor.Name)
            .Select(tensor => ToWrite(tensor.Name, tensor.Data)),
    ];

    /// <summary>A shard's experts, one by one: so that files do not tell how experts were spread.</summary>
    public static IReadOnlyList<TensorToWrite> OfExperts(ExpertGroup experts) =>
    [
        .. experts.Contents.SelectMany(tensor => Enumerable.Range(0, experts.Count).Select(i =>
        {
            var (data, bytes) = (tensor.Data, tensor.Data.Bytes / experts.Count);
            return new TensorToWrite(
                ExpertKeys.Of(tensor.Name, experts.First + i), SafetensorsType.Of(data.Type), data.Shape.RemoveAt(0), (offset, to) => data.Read(i * bytes + offset, to));
        })),
    ];

    /// <summary>What no device holds: the source's vision tower, if it has one.</summary>
    public static IReadOnlyList<TensorToWrite> OfRest(Checkpoint source) =>
        [.. source.Tensors.Where(tensor => VisionTable.Find(tensor.Name) is not null).Select(tensor => ToWrite(tensor.Name, source.Get(tensor.Name)))];

    private static TensorToWrite ToWrite(string name, TensorData data) => new(name, SafetensorsType.Of(data.Type), data.Shape, data.Read);
}
