namespace ActorLlama.Benchmarks.Tokens;

/// <summary>Averages over the tokens of one round. The prompt's few rows are counted with the first token's work, and not in the wall time.</summary>
internal sealed record TokenSplit(double WallMicros, double StageMicros, double ExpertMicros, double LaneBytes)
{
    public double RestMicros => WallMicros - StageMicros - ExpertMicros;
}
