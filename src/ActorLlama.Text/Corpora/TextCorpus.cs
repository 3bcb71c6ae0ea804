using System.Collections.Immutable;

namespace ActorLlama.Text;

/// <summary>Text in files, in a fixed order: what a tokenizer or a model learns from. Files are read as streams, never whole.</summary>
/// <param name="Ranges">The parts, in order.</param>
public sealed record TextCorpus(ImmutableArray<TextRange> Ranges)
{
    internal const string JsonLines = ".jsonl";
    private static readonly string[] s_endings = [".txt", JsonLines];

    /// <summary>Bytes of the files, JSON around text included.</summary>
    public long Bytes => Ranges.Sum(range => range.Bytes);

    /// <summary>Files in the order they are named; of a folder the <c>.txt</c> and <c>.jsonl</c> files in it and below, by path.</summary>
    /// <exception cref="InvalidDataException">A path does not exist, or there is no text.</exception>
    public static TextCorpus Of(params IEnumerable<string> paths)
    {
        var named = paths.ToArray();
        var files = named.SelectMany(FilesOf).Select(file => new TextRange(file, 0, new FileInfo(file).Length)).Where(file => file.Bytes > 0);
        var corpus = new TextCorpus([.. files]);
        return corpus.Ranges.IsEmpty
            ? throw new InvalidDataException($"Text: there is none in {string.Join(", ", named.Select(path => $"\"{path}\""))}. Name files that are not empty.")
            : corpus;
    }

    /// <summary>The text without its end, and its end: the last <paramref name="fraction"/> of all bytes, cut between characters, in JSON lines between lines.</summary>
    /// <param name="fraction">At least 0, below 1.</param>
    public (TextCorpus Begin, TextCorpus End) SplitEnd(double fraction)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(fraction);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(fraction, 1.0);
        var left = Bytes - (long)Math.Floor(fraction * Bytes);
        var (begin, end) = (ImmutableArray.CreateBuilder<TextRange>(), ImmutableArray.CreateBuilder<TextRange>());
        foreach (var range in Ranges)
        {
            var cut = left <= 0 ? range.Start : left >= range.Bytes ? range.End : TextCut.AtOrBehind(range, range.Start + left);
            if (cut > range.Start) begin.Add(range with { End = cut });
            if (cut < range.End) end.Add(range with { Start = cut });
            left -= range.Bytes;
        }
        return (new TextCorpus(begin.ToImmutable()), new TextCorpus(end.ToImmutable()));
    }

    /// <summary>The text in blocks of some hundred thousand characters, cut only where no token can lie across.</summary>
    /// <exception cref="InvalidDataException">A file is not UTF-8, or a line of JSON has no text.</exception>
    public IEnumerable<TextBlock> Read() => Ranges.SelectMany(range => range.IsJsonLines ? JsonLineText.Read(range) : PlainText.Read(range));

    private static IEnumerable<string> FilesOf(string path)
    {
        if (File.Exists(path)) return [path];
        if (!Directory.Exists(path)) throw new InvalidDataException($"Text: \"{path}\" does not exist. Name a file of text, or a folder with such files.");
        return Directory.EnumerateFiles(path, "*", SearchOption.AllDirectories)
            .Where(file => s_endings.Contains(System.IO.Path.GetExtension(file).ToLowerInvariant()))
            .Order(StringComparer.Ordinal);
    }
}
