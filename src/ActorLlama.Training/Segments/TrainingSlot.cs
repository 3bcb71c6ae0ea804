using System.Collections.Immutable;
using ActorLlama.Model;

namespace ActorLlama.Training;

/// <summary>One sequence of a batch as the model takes it: each segment is a sequence of its own that sees nothing outside itself (spec 2.7).</summary>
/// <param name="Inputs">Token ids [S].</param>
/// <param name="Targets">Token ids to predict [S]; any where the position does not count.</param>
/// <param name="Counts">Whether a position's loss counts [S].</param>
/// <param name="Rows">Positions, by segment.</param>
public sealed record TrainingSlot(ImmutableArray<int> Inputs, ImmutableArray<int> Targets, ImmutableArray<bool> Counts, RowBatch Rows)
{
    /// <summary>Row <paramref name="row"/> of the batch.</summary>
    public static TrainingSlot Of(TrainingBatch batch, int row)
    {
        var (from, length) = (row * batch.Length, batch.Length);
        var segments = batch.Segmentation.AsSpan(from, length);
        var sequences = ImmutableArray.CreateBuilder<SequenceRows>();
        for (var at = 0; at < length;)
        {
            var end = at + 1;
            while (end < length && segments[end] == segments[at]) end++;
            sequences.Add(new SequenceRows(null, batch.Positions[from + at], end - at));
            at = end;
        }
        return new([.. batch.Inputs.AsSpan(from, length)], [.. batch.Targets.AsSpan(from, length)], [.. batch.Counts.AsSpan(from, length)], new RowBatch(sequences.ToImmutable()));
    }
}
