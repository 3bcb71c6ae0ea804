using ActorLlama.Text;

namespace ActorLlama.Training.Data;

/// <summary>The data of a run: what it trains on and what it is evaluated on.</summary>
/// <param name="Training">Batches to learn from.</param>
/// <param name="HeldOut">One epoch of text that training never sees, in its order; null for synthetic data and where none is held out.</param>
/// <param name="Tokenizer">The tokenizer; null for synthetic data.</param>
public sealed record DataSet(ITrainingData Training, TextData? HeldOut, LlamaTokenizer? Tokenizer)
{
    public const string Synthetic = "synthetic";
    public const string Texts = "text";

    /// <param name="settings">What was asked for.</param>
    /// <param name="progress">Told how many bytes of text are read, and of how many.</param>
    /// <param name="cancellation">Ends the reading.</param>
    /// <exception cref="InvalidDataException">A setting is wrong, or the text cannot be read.</exception>
    public static DataSet Open(DataSettings settings, Action<long, long>? progress = null, CancellationToken cancellation = default) => settings.Type switch
    {
        Synthetic => new DataSet(new SyntheticData(settings.Slots, settings.Length, settings.Tokens.VocabularySize!.Value), null, null),
        Texts => OpenText(settings, progress, cancellation),
        _ => throw new InvalidDataException(
            $"Data: dataset_type is \"{settings.Type}\"; it is {Synthetic}, or {Texts} with dataset_path. Other kinds of MaxText's are not read here: export them as .txt or .jsonl files."),
    };

    private static DataSet OpenText(DataSettings settings, Action<long, long>? progress, CancellationToken cancellation)
    {
        if (settings.Path.Length == 0) throw new InvalidDataException("Data: dataset_type=text needs dataset_path: a file or folder of text. Give it.");
        if (settings.Tokenizer.Length == 0) throw new InvalidDataException("Data: dataset_type=text needs tokenizer_path: a tokenizer.model. Give it, or make one with \"actorllama tokenizer train\".");
        if (settings.HeldOutFraction is not (>= 0 and < 1)) throw new InvalidDataException($"Data: held_out_fraction is {settings.HeldOutFraction}; it is at least 0 and below 1.");
        var tokenizer = LlamaTokenizer.Load(settings.Tokenizer, settings.Tokens);
        var (begin, end) = TextCorpus.Of(settings.Path.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)).SplitEnd(settings.HeldOutFraction);
        var (total, before) = (begin.Bytes + end.Bytes, begin.Bytes);
        var learned = TokenizedText.Of(begin, tokenizer, (read, _) => progress?.Invoke(read, total), cancellation);
        var heldOut = end.Bytes == 0 ? null : TokenizedText.Of(end, tokenizer, (read, _) => progress?.Invoke(before + read, total), cancellation);
        return new DataSet(
            new TextData(learned, settings.Slots, settings.Length, settings.Packing, settings.Shuffles ? settings.ShuffleSeed : null),
            heldOut is null ? null : new TextData(heldOut, settings.Slots, settings.Length, settings.Packing, shuffleSeed: null, repeats: false),
            tokenizer);
    }
}
