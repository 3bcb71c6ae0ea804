using System.Collections.Immutable;

namespace ActorLlama.Checkpoints;

/// <summary>What a GGUF file holds of a byte-level BPE tokenizer, in the printable byte alphabet that <c>tokenizer.json</c> uses as well.</summary>
/// <param name="Tokens">The spelling of every id of the model, each once.</param>
/// <param name="Kinds">What each id is.</param>
/// <param name="Merges">Pairs of spellings that are joined, by rank.</param>
public sealed record GgufVocabulary(ImmutableArray<string> Tokens, ImmutableArray<GgufTokenKind> Kinds, ImmutableArray<(string Left, string Right)> Merges);

/// <summary>What an id stands for, as GGUF numbers it.</summary>
public enum GgufTokenKind
{
    Normal = 1,
    Control = 3,
    Unused = 5,
}
