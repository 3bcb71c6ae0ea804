using System.Collections.Immutable;

namespace ActorLlama.Training.Data;

/// <summary>Puts rows of a batch together, position by position. Segments of a row count from 1; what is left of a row is padding, segment 0.</summary>
internal sealed class RowBuilder(int rows, int length)
{
    private readonly ImmutableArray<int>.Builder _inputs = ImmutableArray.CreateBuilder<int>(rows * length);
    private readonly ImmutableArray<int>.Builder _targets = ImmutableArray.CreateBuilder<int>(rows * length);
    private readonly ImmutableArray<int>.Builder _positions = ImmutableArray.CreateBuilder<int>(rows * length);
    private readonly ImmutableArray<int>.Builder _segmentation = ImmutableArray.CreateBuilder<int>(rows * length);
    private readonly ImmutableArray<bool>.Builder _counts = ImmutableArray.CreateBuilder<bool>(rows * length);
    private int _segment, _position;

    /// <summary>Adds a position whose successor is known.</summary>
    /// <param name="input">Its id.</param>
    /// <param name="target">The id behind it; null when the document ends here.</param>
    /// <param name="beginsSegment">True when it has nothing to do with the position before it.</param>
    public void Add(int input, int? target, bool beginsSegment)
    {
        if (_inputs.Count % length == 0) _segment = 0;
        if (beginsSegment || _segment == 0) (_segment, _position) = (_segment + 1, 0);
        Put(input, target ?? 0, _segment, target is not null);
    }

    /// <summary>Fills the row begun, or an empty one, with padding.</summary>
    public void EndRow(int atLeast)
    {
        for (_position = 0; _inputs.Count < atLeast;) Put(0, 0, 0, counts: false);
    }

    public TrainingBatch ToBatch() => new(
        length, _inputs.MoveToImmutable(), _targets.MoveToImmutable(), _positions.MoveToImmutable(), _segmentation.MoveToImmutable(), _counts.MoveToImmutable());

    private void Put(int input, int target, int segment, bool counts)
    {
        _inputs.Add(input);
        _targets.Add(target);
        _positions.Add(_position++);
        _segmentation.Add(segment);
        _counts.Add(counts);
    }
}
