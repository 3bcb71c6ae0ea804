namespace ActorLlama.Checkpoints;

/// <summary>How a tensor of one checkpoint compares with that of another.</summary>
/// <param name="Name">Canonical name.</param>
/// <param name="Fault">Why they cannot be compared: missing from one, or of another shape. Null when they can.</param>
/// <param name="Different">Elements whose bits differ, both widened to float32.</param>
/// <param name="Largest">Largest difference of two elements.</param>
public sealed record TensorDifference(string Name, string? Fault, long Different, double Largest)
{
    public bool IsEqual => Fault is null && Different == 0;
}
