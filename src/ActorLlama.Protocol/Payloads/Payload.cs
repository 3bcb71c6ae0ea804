namespace ActorLlama.Protocol;

/// <summary>
/// Rows that travel with a lane message. One owner at a time: whoever has it opens it once or disposes it; sending hands ownership on.
/// In one process a payload may be a handle to a tensor (Runtime); across processes it is <see cref="BytesPayload"/>.
/// </summary>
public abstract class Payload : IDisposable
{
    private static long s_live;
    private int _disposed;

    protected Payload() => Interlocked.Increment(ref s_live);

    /// <summary>Payloads of this process that nobody has opened or disposed yet; returns to its baseline when nothing runs.</summary>
    public static long Live => Interlocked.Read(ref s_live);

    /// <summary>Size on the wire.</summary>
    public abstract int Bytes { get; }

    /// <summary>Frees it unless its content was taken. Safe to call again.</summary>
    public void Dispose()
    {
        if (!TryTake()) return;
        Release();
        GC.SuppressFinalize(this);
    }

    /// <summary>Claims the content: true for the first caller only, who then frees it.</summary>
    protected bool TryTake()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0) return false;
        Interlocked.Decrement(ref s_live);
        return true;
    }

    protected abstract void Release();
}
