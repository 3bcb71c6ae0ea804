using System.Collections.Immutable;
using ActorLlama.Checkpoints;

namespace ActorLlama.Cli;

/// <summary>What a golden file laid out like <c>fixtures/*/expected.safetensors</c> asks of a model; parts that are absent are null.</summary>
internal sealed record GoldenCase(GoldenCase.PrefillPart? Prefill, GoldenCase.DecodePart? Decode)
{
    /// <summary>Sequences of equal length, and the logits of every position [sequence, position, vocabulary].</summary>
    internal sealed record PrefillPart(ImmutableArray<ImmutableArray<int>> Sequences, float[] Logits, int Width);

    /// <summary>A prompt, the greedy tokens after it, and the rows that chose them (null when not in the file).</summary>
    internal sealed record DecodePart(ImmutableArray<int> Prompt, ImmutableArray<int> Tokens, float[]? Logits, int Width);

    /// <summary>Throws <see cref="InvalidDataException"/> for a file that has neither part, or parts whose shapes disagree.</summary>
    public static GoldenCase Read(string path)
    {
        using var file = GoldenFile.Open(path);
        var found = new GoldenCase(ReadPrefill(file), ReadDecode(file));
        return found is { Prefill: null, Decode: null }
            ? throw new InvalidDataException(
                $"Verify: \"{path}\" has neither \"input_ids\" with \"logits\" nor \"decode.prompt\" with \"decode.tokens\". Use a golden file that has one.")
            : found;
    }

    private static PrefillPart? ReadPrefill(GoldenFile file)
    {
        if (!file.Contains("input_ids") || !file.Contains("logits")) return null;
        var (ids, logits) = (file.Shape("input_ids"), file.Shape("logits"));
        if (ids.Length != 2 || logits.Length != 3 || logits[0] != ids[0] || logits[1] != ids[1])
            throw new InvalidDataException(
                $"Verify: \"{file.Path}\" has input_ids [{string.Join(", ", ids)}] and logits [{string.Join(", ", logits)}]; "
                + "they are [sequences, positions] and [sequences, positions, vocabulary]. Use a golden file laid out so.");
        var values = ToIds(file.Longs("input_ids"));
        return new PrefillPart([.. values.Chunk((int)ids[1]).Select(row => row.ToImmutableArray())], file.Floats("logits"), (int)logits[2]);
    }

    private static DecodePart? ReadDecode(GoldenFile file)
    {
        if (!file.Contains("decode.prompt") || !file.Contains("decode.tokens")) return null;
        var tokens = ToIds(file.Longs("decode.tokens"));
        if (!file.Contains("decode.logits")) return new DecodePart(ToIds(file.Longs("decode.prompt")), tokens, null, 0);
        var shape = file.Shape("decode.logits");
        return shape.Length == 2 && shape[0] == tokens.Length
            ? new DecodePart(ToIds(file.Longs("decode.prompt")), tokens, file.Floats("decode.logits"), (int)shape[1])
            : throw new InvalidDataException(
                $"Verify: \"{file.Path}\" has decode.logits [{string.Join(", ", shape)}] for {tokens.Length} decode.tokens; "
                + "it is [tokens, vocabulary]. Use a golden file laid out so.");
    }

    private static ImmutableArray<int> ToIds(long[] values) => [.. values.Select(v => checked((int)v))];
}
