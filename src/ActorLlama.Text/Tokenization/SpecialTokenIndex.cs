using System.Collections.Frozen;
using System.Collections.Immutable;
using System.Text;

namespace ActorLlama.Text;

/// <summary>The special tokens that exist in one vocabulary: those of spec 5.2, or those of a <c>tokenizer.json</c>, whose id is below its size.</summary>
internal sealed class SpecialTokenIndex
{
    private readonly FrozenDictionary<string, int> _ids;
    private readonly FrozenDictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> _idsBySpan;
    private readonly byte[]?[] _spellings;
    private readonly int _longest;

    public SpecialTokenIndex(int firstId, int vocabularySize)
        : this(firstId, vocabularySize, [.. SpecialTokens.Names.Select((name, offset) => (name, firstId + offset))])
    {
    }

    /// <param name="firstId">Number of entries.</param>
    /// <param name="vocabularySize">Ids at or above it do not exist.</param>
    /// <param name="tokens">Spellings of the form &lt;|NAME|&gt; and their ids, from <paramref name="firstId"/> on, each once.</param>
    public SpecialTokenIndex(int firstId, int vocabularySize, ImmutableArray<(string Name, int Id)> tokens)
    {
        FirstId = firstId;
        VocabularySize = vocabularySize;
        var known = tokens.Where(token => token.Id < vocabularySize).ToArray();
        _spellings = new byte[known.Select(token => token.Id - firstId + 1).DefaultIfEmpty(0).Max()][];
        foreach (var (name, id) in known) _spellings[id - firstId] = Encoding.UTF8.GetBytes(name);
        _longest = known.Select(token => token.Name.Length).DefaultIfEmpty(0).Max();
        _ids = known.ToFrozenDictionary(token => token.Name, token => token.Id);
        _idsBySpan = _ids.GetAlternateLookup<ReadOnlySpan<char>>();
    }

    public int FirstId { get; }

    public int VocabularySize { get; }

    public bool TryGet(string name, out int id) => _ids.TryGetValue(name, out id);

    public ReadOnlySpan<byte> Spelling(int id) => id - FirstId < _spellings.Length ? _spellings[id - FirstId] : [];

    /// <summary>The first spelling in a text. No spelling holds another, so the first is the only candidate at its place.</summary>
    public bool FindFirst(ReadOnlySpan<char> text, out int start, out int length, out int id)
    {
        for (start = 0; (length = text[start..].IndexOf("<|")) >= 0; start++)
        {
            start += length;
            var window = text.Slice(start, Math.Min(_longest, text.Length - start));
            var close = window.Length < 4 ? -1 : window[2..].IndexOf("|>");
            length = close + 4;
            if (close >= 0 && _idsBySpan.TryGetValue(window[..length], out id)) return true;
        }
        id = -1;
        return false;
    }
}
