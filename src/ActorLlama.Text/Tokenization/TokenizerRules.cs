using System.Collections.Immutable;

namespace ActorLlama.Text;

/// <summary>What a tokenizer file and a model's config must agree on.</summary>
internal static class TokenizerRules
{
    public static int VocabularySize(int entries, TokenizerOptions options, string path)
    {
        var size = options.VocabularySize ?? entries + SpecialTokens.Count;
        return entries <= size
            ? size
            : throw Disagree(path, $"the file has ids up to {entries - 1}, but vocab_size is {size}", "All its ids are below vocab_size.");
    }

    public static int Bos(SpecialTokenIndex specials, TokenizerOptions options, string path)
    {
        var id = options.BosId ?? specials.FirstId;
        if (id != specials.FirstId)
            throw Disagree(path, $"bos_token_id is {id}, but {SpecialTokens.BeginOfText} has id {specials.FirstId}", "They are the same token.");
        return id < specials.VocabularySize
            ? id
            : throw Disagree(path, $"{SpecialTokens.BeginOfText} has id {id}, but vocab_size is {specials.VocabularySize}", "A prompt starts with this token, so its id is below vocab_size.");
    }

    public static ImmutableArray<int> Eos(SpecialTokenIndex specials, TokenizerOptions options, string path)
    {
        var terminators = new List<int>();
        foreach (var name in SpecialTokens.Terminators)
            if (specials.TryGet(name, out var id)) terminators.Add(id);
        foreach (var id in options.EosIds ?? [])
            if (!terminators.Contains(id))
                throw Disagree(path, $"eos_token_id has {id}, but the terminators are {string.Join(", ", terminators)}",
                    $"Each is the id of {string.Join(", ", SpecialTokens.Terminators)}.");
        return options.EosIds ?? [.. terminators];
    }

    public static int? Pad(SpecialTokenIndex specials, TokenizerOptions options, string path)
    {
        if (options.PadId is not { } id) return specials.TryGet(SpecialTokens.RightPad, out var pad) ? pad : null;
        return id >= 0 && id < specials.VocabularySize
            ? id
            : throw Disagree(path, $"pad_token_id is {id}, but vocab_size is {specials.VocabularySize}", "It is an id below vocab_size.");
    }

    private static InvalidDataException Disagree(string path, string found, string rule) =>
        new($"Tokenizer: \"{path}\" and config.json disagree: {found}. {rule} Use the files of one model.");
}
