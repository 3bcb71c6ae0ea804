using System.Collections.Immutable;

namespace ActorLlama.Model;

/// <summary>Rows [Start, Start + Count) of one sequence, by absolute position.</summary>
/// <param name="Cache">What lies before them, and where they are kept; null, which only <c>TorchBackend</c> takes: nothing lies before them and nothing is kept.</param>
/// <param name="Start">Position of the first row.</param>
/// <param name="Count">Number of rows.</param>
public readonly record struct SequenceRows(KvCache? Cache, int Start, int Count);

/// <summary>The rows of one batch: those of each sequence, ascending, one sequence after the other.</summary>
public sealed class RowBatch
{
    public RowBatch(ImmutableArray<SequenceRows> sequences)
    {
        Sequences = sequences;
        Rows = sequences.Sum(s => s.Count);
        var positions = ImmutableArray.CreateBuilder<int>(Rows);
        foreach (var s in sequences)
            for (var i = 0; i < s.Count; i++) positions.Add(s.Start + i);
        Positions = positions.MoveToImmutable();
    }

    public ImmutableArray<SequenceRows> Sequences { get; }

    public int Rows { get; }

    /// <summary>Absolute position of each row.</summary>
    public ImmutableArray<int> Positions { get; }
}
