using ActorLlama.Text;

namespace ActorLlama.Training.Data;

/// <summary>Documents as ids, one behind the other: each starts with <c>&lt;|begin_of_text|&gt;</c> and ends with <c>&lt;|end_of_text|&gt;</c>, as MaxText has them.</summary>
/// <param name="Ids">All ids.</param>
/// <param name="Starts">Where documents begin, ascending, the first at 0.</param>
/// <param name="TextBytes">UTF-8 bytes of the text.</param>
public sealed record TokenizedText(TokenList Ids, IReadOnlyList<long> Starts, long TextBytes)
{
    /// <summary>Ids that are predicted: all but those that begin a document.</summary>
    public long Targets => Ids.Count - Starts.Count;

    /// <summary>Bytes of text that a predicted id stands for, on average.</summary>
    public double BytesPerTarget => TextBytes / (double)Math.Max(1, Targets);

    /// <summary>The document that an id belongs to.</summary>
    public int DocumentOf(long index)
    {
        var (low, high) = (0, Starts.Count - 1);
        while (low < high)
        {
            var middle = (low + high + 1) / 2;
            if (Starts[middle] <= index) low = middle;
            else high = middle - 1;
        }
        return low;
    }

    /// <summary>Where the document ends: the place behind its last id.</summary>
    public long EndOf(int document) => document + 1 < Starts.Count ? Starts[document + 1] : Ids.Count;

    /// <param name="corpus">The text. Special tokens spelled in it stay text.</param>
    /// <param name="tokenizer">Any vocabulary with a begin-of-text token.</param>
    /// <param name="progress">Told how many bytes are read, and of how many.</param>
    /// <param name="cancellation">Ends the work.</param>
    /// <exception cref="InvalidDataException">The text cannot be read.</exception>
    public static TokenizedText Of(TextCorpus corpus, LlamaTokenizer tokenizer, Action<long, long>? progress = null, CancellationToken cancellation = default)
    {
        var (ids, starts) = (new TokenList(tokenizer.VocabularySize), new List<long>());
        var (textBytes, read, total) = (0L, 0L, corpus.Bytes);
        var hasEnd = tokenizer.TryGetSpecial(SpecialTokens.EndOfText, out var end);
        foreach (var block in corpus.Read())
        {
            cancellation.ThrowIfCancellationRequested();
            if (block.BeginsDocument)
            {
                if (hasEnd && starts.Count > 0) ids.Add(end);
                starts.Add(ids.Count);
                ids.Add(tokenizer.BosId);
            }
            ids.Add(tokenizer.Encode(block.Text));
            textBytes += System.Text.Encoding.UTF8.GetByteCount(block.Text);
            progress?.Invoke(read += block.SourceBytes, total);
        }
        if (hasEnd && starts.Count > 0) ids.Add(end);
        return new TokenizedText(ids, starts, textBytes);
    }
}
