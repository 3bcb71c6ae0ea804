using System.Buffers;
using System.Buffers.Text;

namespace ActorLlama.Text;

/// <summary>
/// A <c>tokenizer.model</c> in tiktoken's text format, read strictly: line i is <c>BASE64 i</c>, no token twice, every single byte
/// present (spec 5.1).
/// </summary>
internal sealed class RankFile
{
    private readonly byte[] _bytes;
    private readonly int[] _ends;

    private RankFile(byte[] bytes, int[] ends) => (_bytes, _ends) = (bytes, ends);

    /// <summary>Number of entries; their ids are 0..Count-1.</summary>
    public int Count => _ends.Length;

    /// <summary>The bytes of an entry.</summary>
    public ReadOnlyMemory<byte> this[int id]
    {
        get
        {
            var start = id == 0 ? 0 : _ends[id - 1];
            return _bytes.AsMemory(start, _ends[id] - start);
        }
    }

    /// <param name="file">The whole file.</param>
    /// <param name="path">For messages only.</param>
    /// <exception cref="InvalidDataException">The file breaks the format; the message names line, value and rule.</exception>
    public static RankFile Parse(ReadOnlySpan<byte> file, string path)
    {
        if (file.IsEmpty) throw Bad(path, "the file is empty", "It holds one line \"BASE64 RANK\" per token.");
        var bytes = new byte[Base64.GetMaxDecodedFromUtf8Length(file.Length)];
        var ends = new List<int>(1 << 18);
        var used = 0;
        while (!file.IsEmpty)
        {
            var newline = file.IndexOf((byte)'\n');
            var line = newline < 0 ? file : file[..newline];
            file = newline < 0 ? [] : file[(newline + 1)..];
            used += ParseLine(line, ends.Count, bytes.AsSpan(used), path);
            ends.Add(used);
        }
        var parsed = new RankFile(bytes, [.. ends]);
        parsed.CheckTokens(path);
        return parsed;
    }

    private static int ParseLine(ReadOnlySpan<byte> line, int expectedRank, Span<byte> to, string path)
    {
        var at = $"line {expectedRank + 1}";
        var space = line.IndexOf((byte)' ');
        if (space <= 0) throw Bad(path, $"{at} is \"{Shown(line)}\"", "A line is \"BASE64 RANK\".");
        var status = Base64.DecodeFromUtf8(line[..space], to, out var consumed, out var written);
        if (status != OperationStatus.Done || consumed != space || written == 0)
            throw Bad(path, $"{at} has token \"{Shown(line[..space])}\"", "A token is base64 of at least one byte.");
        var rank = line[(space + 1)..];
        if (!Utf8Parser.TryParse(rank, out int value, out var digits) || digits != rank.Length)
            throw Bad(path, $"{at} has rank \"{Shown(rank)}\"", "A rank is a whole number.");
        if (value != expectedRank)
            throw Bad(path, $"{at} has rank {value}, not {expectedRank}", "Ranks are 0, 1, 2, ... in the order of the lines.");
        return written;
    }

    private void CheckTokens(string path)
    {
        var seen = new Dictionary<ReadOnlyMemory<byte>, int>(Count, ByteContent.Instance);
        for (var id = 0; id < Count; id++)
            if (!seen.TryAdd(this[id], id))
                throw Bad(path, $"line {id + 1} repeats the token of line {seen[this[id]] + 1}, \"{Convert.ToBase64String(this[id].Span)}\"", "Each token has one rank.");
        for (var value = 0; value < 256; value++)
            if (!seen.ContainsKey(new[] { (byte)value }))
                throw Bad(path, $"no line holds the single byte 0x{value:X2}", "All 256 single bytes are tokens, or some texts have no ids.");
    }

    private static string Shown(ReadOnlySpan<byte> text)
    {
        var shown = new System.Text.StringBuilder();
        foreach (var rune in System.Text.Encoding.UTF8.GetString(text[..Math.Min(text.Length, 60)]).EnumerateRunes())
        {
            if (System.Text.Rune.IsControl(rune)) shown.Append($"\\u{rune.Value:X4}");
            else shown.Append(rune);
        }
        return shown.Append(text.Length > 60 ? "…" : "").ToString();
    }

    private static InvalidDataException Bad(string path, string found, string rule) =>
        new($"Tokenizer: in \"{path}\" {found}. {rule} Download the file again.");
}
