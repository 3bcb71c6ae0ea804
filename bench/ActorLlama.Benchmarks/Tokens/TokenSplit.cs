namespace ActorLlama.Benchmarks.Tokens;

/// <summary>Averages over the tokens of one round. The prompt's few rows are counted with the first token's work, and not in the wall time.</summary>
/// <param name="WallMicros">Time between two tokens of the whole cluster.</param>
/// <param name="StageMicros">What devices spend in stages.</param>
/// <param name="ExpertMicros">What devices spend in experts.</param>
/// <param name="ProcessorMicros">What the nodes' processes use of processors, waiting threads that spin included.</param>
/// <param name="Sleeps">How often threads of the nodes go to sleep.</param>
/// <param name="LaneBytes">What nodes send each other.</param>
internal sealed record TokenSplit(double WallMicros, double StageMicros, double ExpertMicros, double ProcessorMicros, double Sleeps, double LaneBytes)
{
    public double RestMicros => WallMicros - StageMicros - ExpertMicros;
}
