using ActorLlama.Model;

namespace ActorLlama.Training;

/// <summary>
/// Slots of a global batch in the order in which their gradients are added: microbatch by microbatch, where microbatch j of n has rows j, j + n, … of the batch.
/// </summary>
/// <param name="Count">Slots, as many as the batch has rows; <paramref name="Parts"/> divides it.</param>
/// <param name="Parts">Microbatches.</param>
internal readonly record struct MicrobatchSlots(int Count, int Parts)
{
    private int PerPart => Count / Parts;

    /// <summary>Slots of a microbatch, ascending.</summary>
    public int[] Of(int part) => [.. Enumerable.Range(part * PerPart, PerPart)];

    public int PartOf(int slot) => slot / PerPart;

    /// <summary>The row of the batch that a slot is.</summary>
    public int RowOf(int slot) => (slot % PerPart * Parts) + PartOf(slot);

    /// <summary>What a slot's load-balance loss in one layer counts in the sum over a batch's tokens.</summary>
    public double BalanceScale(LlamaConfig config, int totalWeights) => (double)Math.Max(1, totalWeights) / (Count * Math.Max(1, config.IsMoe.Count(isMoe => isMoe)));
}
