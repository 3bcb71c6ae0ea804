namespace ActorLlama.Checkpoints;

/// <summary>What the values of a tensor look like.</summary>
/// <param name="Min">Smallest value that is a number; infinite when there is none.</param>
/// <param name="Max">Largest value that is a number; infinite when there is none.</param>
/// <param name="Mean">Mean of the values that are numbers; 0 when there is none.</param>
/// <param name="NaN">How many are none.</param>
public sealed record TensorStatistics(float Min, float Max, double Mean, long NaN);
