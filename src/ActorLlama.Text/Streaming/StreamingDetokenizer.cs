using System.Text;

namespace ActorLlama.Text;

/// <summary>
/// Turns ids into text one by one. What it emits is always whole characters: an incomplete UTF-8 sequence at the end waits for the
/// next id. All that it emitted, with <see cref="Flush"/> at the end, equals <see cref="LlamaTokenizer.Decode"/> of all ids.
/// </summary>
/// <remarks>For one stream; not for use by several threads at once.</remarks>
public sealed class StreamingDetokenizer
{
    private readonly LlamaTokenizer _tokenizer;
    private readonly bool _skipSpecial;
    private readonly byte[] _pending = new byte[3];
    private int _pendingCount;

    /// <param name="tokenizer">The vocabulary.</param>
    /// <param name="skipSpecial">True leaves special tokens out of the text; by default they appear in their spelling.</param>
    public StreamingDetokenizer(LlamaTokenizer tokenizer, bool skipSpecial = false) => (_tokenizer, _skipSpecial) = (tokenizer, skipSpecial);

    /// <summary>The text that this id completes; empty while a character is incomplete.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The id is not in the vocabulary.</exception>
    public string Push(int id)
    {
        var token = _tokenizer.TokenBytes(id);
        if (token.IsEmpty || (_skipSpecial && _tokenizer.IsSpecial(id))) return "";
        var bytes = new byte[_pendingCount + token.Length];
        _pending.AsSpan(0, _pendingCount).CopyTo(bytes);
        token.CopyTo(bytes.AsSpan(_pendingCount));
        var whole = WholeLength(bytes);
        bytes.AsSpan(whole).CopyTo(_pending);
        _pendingCount = bytes.Length - whole;
        return Encoding.UTF8.GetString(bytes.AsSpan(0, whole));
    }

    /// <summary>What <see cref="Flush"/> would return now.</summary>
    public string Pending => Encoding.UTF8.GetString(_pending.AsSpan(0, _pendingCount));

    /// <summary>Ends the stream: an incomplete sequence becomes U+FFFD. The next id starts a new text.</summary>
    public string Flush()
    {
        var rest = Pending;
        _pendingCount = 0;
        return rest;
    }

    /// <summary>The length without a sequence that more bytes could still complete; only the last three bytes can start one.</summary>
    private static int WholeLength(ReadOnlySpan<byte> bytes)
    {
        for (var start = Math.Max(0, bytes.Length - 3); start < bytes.Length; start++)
            if (Rune.DecodeFromUtf8(bytes[start..], out _, out _) == System.Buffers.OperationStatus.NeedMoreData) return start;
        return bytes.Length;
    }
}
