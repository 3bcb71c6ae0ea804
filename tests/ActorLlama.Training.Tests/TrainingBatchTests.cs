namespace ActorLlama.Training.Tests;

public sealed class TrainingBatchTests
{
    [Fact]
    public void Windows_give_inputs_targets_and_positions()
    {
        var batch = TrainingBatch.OfTokens(2, 3, [1, 2, 3, 4, 5, 6, 7, 8]);

        Assert.Equal<int>([1, 2, 3, 5, 6, 7], batch.Inputs);
        Assert.Equal<int>([2, 3, 4, 6, 7, 8], batch.Targets);
        Assert.Equal<int>([0, 1, 2, 0, 1, 2], batch.Positions);
        Assert.Equal((2, 3, 6), (batch.Rows, batch.Length, batch.TotalWeights));
    }

    [Fact]
    public void Rows_are_taken_in_the_order_named()
    {
        var batch = TrainingBatch.OfTokens(3, 1, [1, 2, 3, 4, 5, 6]).Take(2, 0);

        Assert.Equal<int>([5, 1], batch.Inputs);
        Assert.Equal<int>([6, 2], batch.Targets);
    }

    [Fact]
    public void Positions_that_jump_within_a_segment_are_refused()
    {
        var fault = Assert.Throws<ArgumentException>(() => new TrainingBatch(3, [1, 2, 3], [2, 3, 4], [0, 1, 3], [1, 1, 1], [true, true, true]));

        Assert.Contains("position 3 follows 1 within segment 1 of row 0", fault.Message, StringComparison.Ordinal);
        // A new segment starts anew, and padding is a segment too.
        Assert.Equal(2, new TrainingBatch(3, [1, 2, 0], [2, 3, 0], [0, 0, 0], [1, 2, 0], [true, true, false]).TotalWeights);
    }
}
