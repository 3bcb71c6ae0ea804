namespace ActorLlama.Model;

/// <summary>
/// How a token is chosen from logits. Rules apply in this order: repetition penalty, then (with <see cref="NucleusRule.Tempered"/>)
/// temperature, top-k, top-p.
/// </summary>
/// <param name="Temperature">0: greedy (lowest id wins). Above: logits are divided by it.</param>
/// <param name="TopP">Mass of the nucleus, above 0 (0 only with an untempered nucleus) and at most 1; the token that crosses it stays. 1: off.</param>
/// <param name="TopK">Number of likeliest tokens kept; 0: off.</param>
/// <param name="Seed">Key of the generator.</param>
public sealed record SamplingSettings(double Temperature, double TopP, int TopK, ulong Seed)
{
    /// <summary>Of which probabilities <see cref="TopP"/> is the mass.</summary>
    public NucleusRule Nucleus { get; init; } = NucleusRule.Tempered;

    /// <summary>Logits of ids that the sequence holds are divided by it when positive and multiplied when negative (spec 8.3). 1: off.</summary>
    public double RepetitionPenalty { get; init; } = 1;

    public static SamplingSettings Greedy { get; } = new(0, 1, 0, 0);

    /// <summary>Throws <see cref="InvalidDataException"/> naming the first value that is out of its range.</summary>
    public void Check()
    {
        if (!(Temperature >= 0 && double.IsFinite(Temperature)))
            throw new InvalidDataException($"Sampling: temperature {Temperature} must be a finite number, 0 or more.");
        if (!Enum.IsDefined(Nucleus)) throw new InvalidDataException($"Sampling: nucleus rule {Nucleus} does not exist.");
        if (!(TopP <= 1 && (TopP > 0 || (TopP == 0 && Nucleus != NucleusRule.Tempered))))
            throw new InvalidDataException($"Sampling: top-p {TopP} must be above 0 and at most 1.");
        if (TopK < 0) throw new InvalidDataException($"Sampling: top-k {TopK} must be 0 (off) or more.");
        if (!(RepetitionPenalty > 0 && double.IsFinite(RepetitionPenalty)))
            throw new InvalidDataException($"Sampling: repetition penalty {RepetitionPenalty} must be a finite number above 0; 1 is off.");
    }
}
