using System.Security.Cryptography;

namespace ActorLlama.Checkpoints;

/// <summary>SHA-256 of a file whose pieces several threads write at once: each hands its piece over in turn, so nothing is read again.</summary>
internal sealed class OrderedHash : IDisposable
{
    // A thread waits here for the one with the piece before its own; the first piece that is open never waits.
    private readonly object _turn = new();
    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private bool _isBroken;

    /// <summary>Bytes hashed.</summary>
    public long Length { get; private set; }

    /// <summary>Hashes the piece that begins at that byte, once all before it are in. Throws <see cref="OperationCanceledException"/> after <see cref="Break"/>.</summary>
    public void Append(long offset, ReadOnlySpan<byte> bytes)
    {
        lock (_turn)
        {
            while (Length != offset)
            {
                if (_isBroken) throw new OperationCanceledException("A piece before this one failed.");
                Monitor.Wait(_turn);
            }
            _hash.AppendData(bytes);
            Length += bytes.Length;
            Monitor.PulseAll(_turn);
        }
    }

    /// <summary>Tells those who wait that a piece will not come.</summary>
    public void Break()
    {
        lock (_turn)
        {
            _isBroken = true;
            Monitor.PulseAll(_turn);
        }
    }

    /// <summary>64 hexadecimal digits.</summary>
    public string Finish() => Convert.ToHexStringLower(_hash.GetHashAndReset());

    public void Dispose() => _hash.Dispose();
}
