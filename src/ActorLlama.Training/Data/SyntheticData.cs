using ActorLlama.Model;

namespace ActorLlama.Training.Data;

/// <summary>One batch of random tokens, the same at each step (spec 7.4): MaxText's law, not its numbers.</summary>
public sealed class SyntheticData : ITrainingData
{
    private readonly TrainingBatch _batch;

    /// <param name="slots">Sequences.</param>
    /// <param name="length">Positions of each.</param>
    /// <param name="vocabulary">Tokens are drawn below it, evenly.</param>
    /// <param name="seed">Equal seeds give equal tokens.</param>
    public SyntheticData(int slots, int length, int vocabulary, int seed = 0)
    {
        var tokens = new int[slots * (length + 1)];
        for (var i = 0; i < tokens.Length; i++) tokens[i] = (int)(Philox.Uniform((ulong)seed, 0, i) * vocabulary);
        _batch = TrainingBatch.OfTokens(slots, length, tokens);
    }

    public int Slots => _batch.Rows;

    public int Length => _batch.Length;

    public TrainingBatch Rows(long step, params ReadOnlySpan<int> slots) => _batch.Take(slots);
}
