using System.Collections.Immutable;

namespace ActorLlama.Training;

/// <summary>
/// The token windows of one step, [Rows, Length] row major (spec 7.2, 7.4): row i is slot i of the step's global batch. Immutable; compared by reference.
/// </summary>
public sealed class TrainingBatch
{
    /// <param name="length">Positions of a row (S).</param>
    /// <param name="inputs">Token ids that go in.</param>
    /// <param name="targets">Token id that each position is to predict.</param>
    /// <param name="positions">Position of each token within its own segment, from 0.</param>
    /// <param name="segmentation">Segment of each token within its row; 0 is padding. A token sees its own segment only.</param>
    /// <param name="counts">Whether a position's loss counts.</param>
    /// <exception cref="ArgumentException">The arrays are not all of the same whole number of rows, or positions do not run on within a segment.</exception>
    public TrainingBatch(
        int length, ImmutableArray<int> inputs, ImmutableArray<int> targets, ImmutableArray<int> positions, ImmutableArray<int> segmentation, ImmutableArray<bool> counts)
    {
        if (length < 1 || inputs.Length == 0 || inputs.Length % length != 0)
            throw new ArgumentException($"Batch: {inputs.Length} tokens are not whole rows of {length}.", nameof(inputs));
        if (targets.Length != inputs.Length || positions.Length != inputs.Length || segmentation.Length != inputs.Length || counts.Length != inputs.Length)
            throw new ArgumentException($"Batch: targets, positions, segmentation and counts must have {inputs.Length} entries each, as the inputs have.", nameof(targets));
        (Length, Rows) = (length, inputs.Length / length);
        (Inputs, Targets, Positions, Segmentation, Counts) = (inputs, targets, positions, segmentation, counts);
        for (var i = 0; i < inputs.Length; i++)
        {
            var startsSegment = i % length == 0 || segmentation[i] != segmentation[i - 1];
            if (!startsSegment && positions[i] != positions[i - 1] + 1)
                throw new ArgumentException($"Batch: position {positions[i]} follows {positions[i - 1]} within segment {segmentation[i]} of row {i / length}.", nameof(positions));
        }
    }

    public int Rows { get; }
    public int Length { get; }
    public ImmutableArray<int> Inputs { get; }
    public ImmutableArray<int> Targets { get; }
    public ImmutableArray<int> Positions { get; }
    public ImmutableArray<int> Segmentation { get; }
    public ImmutableArray<bool> Counts { get; }

    /// <summary>Positions whose loss counts: the sum of the mask.</summary>
    public int TotalWeights => Counts.Count(counts => counts);

    /// <summary>A batch of whole windows: <paramref name="tokens"/> [rows, length + 1], inputs all but each row's last, targets all but its first, one segment, all count.</summary>
    public static TrainingBatch OfTokens(int rows, int length, ReadOnlySpan<int> tokens)
    {
        if (tokens.Length != rows * (length + 1)) throw new ArgumentException($"Batch: {tokens.Length} tokens are not {rows} rows of {length} and one more.", nameof(tokens));
        var inputs = ImmutableArray.CreateBuilder<int>(rows * length);
        var targets = ImmutableArray.CreateBuilder<int>(rows * length);
        for (var row = 0; row < rows; row++)
        {
            var of = tokens.Slice(row * (length + 1), length + 1);
            inputs.AddRange(of[..length]);
            targets.AddRange(of[1..]);
        }
        return new(
            length,
            inputs.MoveToImmutable(),
            targets.MoveToImmutable(),
            [.. Enumerable.Range(0, rows * length).Select(i => i % length)],
            [.. Enumerable.Repeat(1, rows * length)],
            [.. Enumerable.Repeat(true, rows * length)]);
    }

    /// <summary>The rows named, in that order.</summary>
    public TrainingBatch Take(params ReadOnlySpan<int> rows)
    {
        var at = rows.ToArray();
        return new(Length, Of(Inputs), Of(Targets), Of(Positions), Of(Segmentation), Of(Counts));

        ImmutableArray<T> Of<T>(ImmutableArray<T> all) => [.. at.SelectMany(row => all.AsSpan(row * Length, Length).ToArray())];
    }
}
