using System.Collections.Immutable;
using System.Globalization;
using System.Text;

namespace ActorLlama.Text;

/// <summary>Makes a <c>tokenizer.model</c> from nothing but text.</summary>
public static class TokenizerLearning
{
    /// <summary>The single bytes, which every vocabulary has.</summary>
    public const int FewestEntries = 256;

    /// <summary>Learns the entries of a vocabulary, in order of rank. The same text and size give the same entries.</summary>
    /// <param name="corpus">The text.</param>
    /// <param name="entries">How many; the model's special tokens come on top (<see cref="SpecialTokens.Count"/>).</param>
    /// <param name="progress">Told of a phase, how much of it is done and how much there is.</param>
    /// <param name="cancellation">Ends the work.</param>
    /// <exception cref="InvalidDataException">Fewer than <see cref="FewestEntries"/> are asked for, the text cannot be read, or is too little.</exception>
    public static ImmutableArray<ReadOnlyMemory<byte>> Learn(
        TextCorpus corpus, int entries, Action<string, long, long>? progress = null, CancellationToken cancellation = default)
    {
        if (entries < FewestEntries)
            throw new InvalidDataException($"Tokenizer: {entries} entries are asked for; the single bytes alone are {FewestEntries}. Ask for more.");
        var counts = new PieceCounts();
        var (read, total) = (0L, corpus.Bytes);
        foreach (var block in corpus.Read())
        {
            cancellation.ThrowIfCancellationRequested();
            counts.Add(block.Text);
            progress?.Invoke("reading", read += block.SourceBytes, total);
        }
        var learner = new MergeLearner(counts.Sorted);
        while (learner.Tokens.Count < entries && learner.Step())
        {
            cancellation.ThrowIfCancellationRequested();
            progress?.Invoke("merging", learner.Tokens.Count - FewestEntries, entries - FewestEntries);
        }
        return learner.Tokens.Count == entries
            ? [.. learner.Tokens.Select(token => new ReadOnlyMemory<byte>(token))]
            : throw new InvalidDataException(
                $"Tokenizer: the text gives {learner.Tokens.Count} entries, but {entries} are asked for. Give more text, or ask for fewer.");
    }

    /// <summary>Writes entries as a <c>tokenizer.model</c>, which is there whole or not at all.</summary>
    /// <exception cref="IOException">The file exists, or cannot be written.</exception>
    public static void Write(string path, IReadOnlyList<ReadOnlyMemory<byte>> entries)
    {
        var temporary = path + ".partial";
        using (var stream = new FileStream(temporary, FileMode.Create, FileAccess.Write))
        {
            for (var rank = 0; rank < entries.Count; rank++)
                stream.Write(Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{Base64Of(entries[rank])} {rank}\n")));
            stream.Flush(flushToDisk: true);
        }
        File.Move(temporary, path, overwrite: false);
    }

    private static string Base64Of(ReadOnlyMemory<byte> bytes) => Convert.ToBase64String(bytes.Span);
}
