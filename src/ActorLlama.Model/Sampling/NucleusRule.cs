namespace ActorLlama.Model;

/// <summary>Of which probabilities top-p is the mass, and what happens to equal logits at its edge.</summary>
public enum NucleusRule
{
    /// <summary>Of the tempered ones; equal logits enter by ascending id (Meta and Hugging Face, spec 8.2 and 8.3).</summary>
    Tempered = 0,

    /// <summary>Of those at temperature 1; equal logits at the edge all stay (MaxText's "nucleus", spec 8.1).</summary>
    UntemperedWithTies = 1,

    /// <summary>Of those at temperature 1; equal logits enter by ascending id (MaxText's "composite", spec 8.1).</summary>
    Untempered = 2,
}
