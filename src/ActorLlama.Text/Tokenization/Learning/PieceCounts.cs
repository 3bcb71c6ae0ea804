namespace ActorLlama.Text;

/// <summary>How often each piece occurs in a text that is split as <see cref="LlamaTokenizer.Encode"/> splits it.</summary>
internal sealed class PieceCounts
{
    private readonly Dictionary<string, long> _counts = new(StringComparer.Ordinal);

    /// <summary>The pieces and their counts, sorted, so that nothing depends on the order in which they were met.</summary>
    public IEnumerable<(string Piece, long Count)> Sorted => _counts.OrderBy(pair => pair.Key, StringComparer.Ordinal).Select(pair => (pair.Key, pair.Value));

    public void Add(ReadOnlySpan<char> text)
    {
        var counts = _counts.GetAlternateLookup<ReadOnlySpan<char>>();
        var start = 0;
        foreach (var partEnd in LongRunSplitter.PartEnds(text))
        {
            var part = text[start..partEnd];
            for (var at = 0; at < part.Length;)
            {
                var end = PieceScanner.PieceEnd(part, at);
                System.Runtime.InteropServices.CollectionsMarshal.GetValueRefOrAddDefault(counts, part[at..end], out _)++;
                at = end;
            }
            start = partEnd;
        }
    }
}
