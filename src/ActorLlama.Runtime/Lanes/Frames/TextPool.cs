using System.Text;

namespace ActorLlama.Runtime.Lanes;

/// <summary>Strings that recur on one connection (paths, manifests), made once. Bounded: beyond that, strings are made anew.</summary>
internal sealed class TextPool
{
    private const int MaxEntries = 1024;
    private const int MaxPooledLength = 512;
    private readonly Dictionary<string, string> _texts = new(StringComparer.Ordinal);

    public string Get(ReadOnlySpan<byte> utf8)
    {
        if (utf8.Length > MaxPooledLength) return Encoding.UTF8.GetString(utf8);
        Span<char> chars = stackalloc char[MaxPooledLength];
        var text = chars[..Encoding.UTF8.GetChars(utf8, chars)];
        var lookup = _texts.GetAlternateLookup<ReadOnlySpan<char>>();
        if (lookup.TryGetValue(text, out var known)) return known;
        var made = text.ToString();
        if (_texts.Count < MaxEntries) _texts.Add(made, made);
        return made;
    }
}
