namespace ActorLlama.Model;

/// <summary>How a token is chosen from logits. Rules apply in this order: temperature, then top-k, then top-p.</summary>
/// <param name="Temperature">0: greedy (lowest id wins). Above: logits are divided by it.</param>
/// <param name="TopP">Mass of the nucleus, above 0 and at most 1; the token that crosses it stays (Meta's rule, spec 8.2). 1: off.</param>
/// <param name="TopK">Number of likeliest tokens kept; 0: off.</param>
/// <param name="Seed">Key of the generator.</param>
public sealed record SamplingSettings(double Temperature, double TopP, int TopK, ulong Seed)
{
    public static SamplingSettings Greedy { get; } = new(0, 1, 0, 0);

    /// <summary>Throws <see cref="InvalidDataException"/> naming the first value that is out of its range.</summary>
    public void Check()
    {
        if (!(Temperature >= 0 && double.IsFinite(Temperature)))
            throw new InvalidDataException($"Sampling: temperature {Temperature} must be a finite number, 0 or more.");
        if (!(TopP > 0 && TopP <= 1)) throw new InvalidDataException($"Sampling: top-p {TopP} must be above 0 and at most 1.");
        if (TopK < 0) throw new InvalidDataException($"Sampling: top-k {TopK} must be 0 (off) or more.");
    }
}
