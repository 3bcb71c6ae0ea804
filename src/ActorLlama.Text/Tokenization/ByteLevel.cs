namespace ActorLlama.Text;

/// <summary>The printable spelling of bytes in <c>tokenizer.json</c>: a character per byte, itself where it is visible.</summary>
internal static class ByteLevel
{
    private static readonly char[] s_characters = MakeCharacters();
    private static readonly Dictionary<char, byte> s_bytes = s_characters.Select((character, value) => (character, value)).ToDictionary(pair => pair.character, pair => (byte)pair.value);

    public static string Spell(ReadOnlySpan<byte> bytes)
    {
        Span<char> text = bytes.Length <= 256 ? stackalloc char[bytes.Length] : new char[bytes.Length];
        for (var i = 0; i < bytes.Length; i++) text[i] = s_characters[bytes[i]];
        return text.ToString();
    }

    /// <summary>The bytes of a spelling; null when a character spells none.</summary>
    public static byte[]? Read(string spelling)
    {
        var bytes = new byte[spelling.Length];
        for (var i = 0; i < bytes.Length; i++)
            if (!s_bytes.TryGetValue(spelling[i], out bytes[i])) return null;
        return bytes;
    }

    private static char[] MakeCharacters()
    {
        var characters = new char[256];
        var next = 256;
        for (var value = 0; value < 256; value++)
            characters[value] = value is >= 33 and <= 126 or >= 161 and <= 172 or >= 174 ? (char)value : (char)next++;
        return characters;
    }
}
