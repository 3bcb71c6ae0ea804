using System.Collections.Immutable;
using System.Text;
using Microsoft.ML.Tokenizers;

namespace ActorLlama.Text;

/// <summary>
/// Llama 4's tokenizer (spec 5.1, 5.2): byte-level BPE by rank over the entries of a <c>tokenizer.model</c>, then 2048 special tokens.
/// Immutable; every member may be called from any thread.
/// </summary>
public sealed class LlamaTokenizer
{
    private readonly RankFile _entries;
    private readonly TiktokenTokenizer _bpe;
    private readonly SpecialTokenIndex _specials;
    private readonly TokenizerJson? _json;

    private LlamaTokenizer(RankFile entries, TiktokenTokenizer bpe, SpecialTokenIndex specials, TokenizerJson? json, TokenizerOptions options, string path)
    {
        _json = json;
        _entries = entries;
        _bpe = bpe;
        _specials = specials;
        VocabularySize = specials.VocabularySize;
        BosId = TokenizerRules.Bos(specials, options, path);
        EosIds = TokenizerRules.Eos(specials, options, path);
        PadId = TokenizerRules.Pad(specials, options, path);
    }

    /// <summary>Number of ids of the model. Ids that have neither an entry nor a special token decode to nothing.</summary>
    public int VocabularySize { get; }

    /// <summary>Number of entries of the file: the id of the first special token.</summary>
    public int EntryCount => _entries.Count;

    /// <summary>The id of <c>&lt;|begin_of_text|&gt;</c>.</summary>
    public int BosId { get; }

    /// <summary>The ids that end a generation; may be empty.</summary>
    public ImmutableArray<int> EosIds { get; }

    /// <summary>The padding id, if the model has one.</summary>
    public int? PadId { get; }

    /// <summary>Reads a <c>tokenizer.model</c>, or the same tokenizer as <c>tokenizer.json</c>, whose special tokens are those it lists.</summary>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">The file breaks its format, or disagrees with <paramref name="options"/>.</exception>
    public static LlamaTokenizer Load(string path, TokenizerOptions? options = null)
    {
        if (!File.Exists(path)) throw new FileNotFoundException($"Tokenizer: file \"{path}\" does not exist. Name a tokenizer.model or tokenizer.json.", path);
        options ??= new TokenizerOptions();
        var file = File.ReadAllBytes(path);
        var json = path.EndsWith(".json", StringComparison.OrdinalIgnoreCase) ? TokenizerJson.Parse(file, path) : null;
        var ranks = json?.RankFile ?? file;
        var entries = RankFile.Parse(ranks, path);
        var size = TokenizerRules.VocabularySize(entries.Count, options, path);
        var specials = json is null ? new SpecialTokenIndex(entries.Count, size) : new SpecialTokenIndex(entries.Count, size, json.Added);
        using var stream = new MemoryStream(ranks, writable: false);
        return new LlamaTokenizer(entries, TiktokenTokenizer.Create(stream, new PiecePreTokenizer(), normalizer: null), specials, json, options, path);
    }

    /// <summary>Writes the tokenizer as Hugging Face's <c>tokenizer.json</c>.</summary>
    /// <exception cref="InvalidDataException">An entry is no merge of two others, which that format cannot hold.</exception>
    public void WriteJson(Stream stream) => TokenizerJsonWriter.Write(stream, _entries, VocabularySize);

    /// <summary>The pairs that entries join, by rank, in the printable spelling of <see cref="Spelling"/>.</summary>
    /// <exception cref="InvalidDataException">An entry is no merge of two others.</exception>
    public IEnumerable<(string Left, string Right)> Merges() => TokenizerJsonWriter.Merges(_entries);

    /// <summary>How <c>tokenizer.json</c> writes an id: an entry with one printable character a byte, a special token as it is; empty for an id without any token.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The id is not in the vocabulary.</exception>
    public string Spelling(int id) => IsSpecial(id) ? Decode(id) : ByteLevel.Spell(TokenBytes(id));

    /// <summary>
    /// The ids that Hugging Face's engine gives a text by default: BOS, or what the template of <c>tokenizer.json</c> puts in front, then the text with
    /// spellings of special tokens read as these. Long runs are not cut.
    /// </summary>
    public int[] EncodeTemplate(string text)
    {
        var ids = new List<int>(_json?.Prefix ?? [BosId]);
        EncodeWithSpecials(WellFormed(text), ids);
        return [.. ids];
    }

    /// <summary>The ids of a text, without BOS.</summary>
    /// <param name="text">Any text; half a surrogate pair counts as U+FFFD.</param>
    /// <param name="allowSpecial">
    /// True reads spellings of special tokens as these tokens. Only for text that no user wrote: by default they are plain text.
    /// </param>
    public int[] Encode(string text, bool allowSpecial = false)
    {
        text = WellFormed(text);
        var ids = new List<int>(text.Length / 3 + 8);
        var start = 0;
        foreach (var end in LongRunSplitter.PartEnds(text))
        {
            var part = text.AsSpan(start, end - start);
            if (allowSpecial) EncodeWithSpecials(part, ids);
            else EncodePlain(part, ids);
            start = end;
        }
        return [.. ids];
    }

    /// <summary>
    /// The text of ids; special tokens appear in their spelling, bytes that are not UTF-8 as U+FFFD.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">An id is not in the vocabulary.</exception>
    public string Decode(params ReadOnlySpan<int> ids) => Encoding.UTF8.GetString(DecodeBytes(ids));

    /// <summary>The bytes of ids, exactly as the tokens hold them.</summary>
    /// <exception cref="ArgumentOutOfRangeException">An id is not in the vocabulary.</exception>
    public byte[] DecodeBytes(params ReadOnlySpan<int> ids)
    {
        var length = 0;
        foreach (var id in ids) length += TokenBytes(id).Length;
        var bytes = new byte[length];
        var at = 0;
        foreach (var id in ids)
        {
            var token = TokenBytes(id);
            token.CopyTo(bytes.AsSpan(at));
            at += token.Length;
        }
        return bytes;
    }

    /// <summary>The bytes of one token: of a special token its spelling, of an id without any token nothing.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The id is not in the vocabulary.</exception>
    public ReadOnlySpan<byte> TokenBytes(int id)
    {
        if ((uint)id >= (uint)VocabularySize)
            throw new ArgumentOutOfRangeException(nameof(id), $"Tokenizer: id {id} is not in the vocabulary. Ids are 0 to {VocabularySize - 1}.");
        return id < _entries.Count ? _entries[id].Span : _specials.Spelling(id);
    }

    /// <summary>True if the id belongs to a special token, or to no token at all.</summary>
    public bool IsSpecial(int id) => id >= _entries.Count;

    /// <summary>The id of a special token by its spelling; false if the spelling is none or its id is at or above the vocabulary.</summary>
    public bool TryGetSpecial(string name, out int id) => _specials.TryGet(name, out id);

    /// <summary>The id of a special token by its spelling, such as <see cref="SpecialTokens.EndOfTurn"/>.</summary>
    /// <exception cref="InvalidDataException">This vocabulary has no such token.</exception>
    public int SpecialId(string name) => TryGetSpecial(name, out var id)
        ? id
        : throw new InvalidDataException($"Tokenizer: special token \"{name}\" does not exist in a vocabulary of {VocabularySize} ids with {EntryCount} entries.");

    /// <summary>The BPE would encode half a surrogate pair as three bytes that are not UTF-8.</summary>
    private static string WellFormed(string text)
    {
        foreach (var unit in text)
            if (char.IsSurrogate(unit)) return Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text));
        return text;
    }

    private void EncodeWithSpecials(ReadOnlySpan<char> text, List<int> ids)
    {
        while (_specials.FindFirst(text, out var start, out var length, out var id))
        {
            EncodePlain(text[..start], ids);
            ids.Add(id);
            text = text[(start + length)..];
        }
        EncodePlain(text, ids);
    }

    private void EncodePlain(ReadOnlySpan<char> text, List<int> ids)
    {
        if (!text.IsEmpty) ids.AddRange(_bpe.EncodeToIds(text));
    }
}
