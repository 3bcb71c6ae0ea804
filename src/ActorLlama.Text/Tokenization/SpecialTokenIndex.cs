using System.Collections.Frozen;
using System.Text;

namespace ActorLlama.Text;

/// <summary>The special tokens that exist in one vocabulary: those of spec 5.2 whose id, first + offset, is below its size.</summary>
internal sealed class SpecialTokenIndex
{
    private readonly FrozenDictionary<string, int> _ids;
    private readonly FrozenDictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> _idsBySpan;
    private readonly byte[][] _spellings;
    private readonly int _longest;

    public SpecialTokenIndex(int firstId, int vocabularySize)
    {
        FirstId = firstId;
        VocabularySize = vocabularySize;
        var names = SpecialTokens.Names.AsSpan(0, Math.Clamp(vocabularySize - firstId, 0, SpecialTokens.Count)).ToArray();
        _spellings = [.. names.Select(Encoding.ASCII.GetBytes)];
        _longest = names.Select(name => name.Length).DefaultIfEmpty(0).Max();
        _ids = names.Select((name, offset) => (name, offset)).ToFrozenDictionary(pair => pair.name, pair => firstId + pair.offset);
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
