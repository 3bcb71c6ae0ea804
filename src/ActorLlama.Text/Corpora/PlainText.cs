using System.Text;

namespace ActorLlama.Text;

/// <summary>Reads UTF-8 text in blocks.</summary>
internal static class PlainText
{
    private const int BufferBytes = 1 << 16;
    private static readonly UTF8Encoding s_strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>A block is given out once it has this many characters and a place to cut it.</summary>
    private const int BlockCharacters = 1 << 18;

    /// <summary>Text without a place to cut is cut anyway at this length, as the tokenizer does with long texts.</summary>
    private const int MostCharacters = 1 << 22;

    /// <exception cref="InvalidDataException">The bytes are not UTF-8.</exception>
    public static IEnumerable<TextBlock> Read(TextRange range)
    {
        using var file = File.OpenHandle(range.Path);
        var decoder = s_strict.GetDecoder();
        var (bytes, text) = (new byte[BufferBytes], new StringBuilder());
        var (begins, told) = (true, range.Start);
        for (var at = range.Start; at < range.End;)
        {
            var read = RandomAccess.Read(file, bytes.AsSpan(0, (int)Math.Min(BufferBytes, range.End - at)), at);
            if (read == 0) throw new InvalidDataException($"Text: \"{range.Path}\" ends at byte {at}; it had {range.End}. It was changed while it was read.");
            var skipped = at == 0 && bytes.AsSpan(0, read).StartsWith(Encoding.UTF8.Preamble) ? Encoding.UTF8.Preamble.Length : 0;
            text.Append(Decoded(decoder, bytes.AsSpan(skipped, read - skipped), range, at + read == range.End));
            at += read;
            if (text.Length < BlockCharacters && at < range.End) continue;
            var all = text.ToString();
            var cut = at == range.End ? all.Length : TextCut.LastSure(all);
            if (cut == 0 && all.Length >= MostCharacters) cut = char.IsHighSurrogate(all[^1]) ? all.Length - 1 : all.Length;
            if (cut == 0) continue;
            yield return new TextBlock(all[..cut], begins, at - told);
            (begins, told) = (false, at);
            text.Clear().Append(all, cut, all.Length - cut);
        }
    }

    private static string Decoded(Decoder decoder, ReadOnlySpan<byte> bytes, TextRange range, bool isLast)
    {
        try
        {
            var chars = new char[decoder.GetCharCount(bytes, isLast)];
            return new string(chars, 0, decoder.GetChars(bytes, chars, isLast));
        }
        catch (DecoderFallbackException)
        {
            throw new InvalidDataException($"Text: \"{range.Path}\" is not UTF-8. Convert it, or leave it out.");
        }
    }
}
