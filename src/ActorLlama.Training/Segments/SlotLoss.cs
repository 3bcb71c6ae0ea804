namespace ActorLlama.Training;

/// <summary>Sums over the tokens of one slot that count (spec 7.2): natural-log cross-entropy, z-loss already weighted, and how many they are.</summary>
public readonly record struct SlotLoss(double CrossEntropy, double ZLoss, int Tokens);
