namespace ActorLlama.Model;

/// <summary>
/// Rows of activations [Rows, Width] on one backend's device. Has one owner, who disposes it; touched on the device's thread only.
/// </summary>
public abstract class Activation : IDisposable
{
    private static long s_live;

    protected Activation(int rows, int width)
    {
        (Rows, Width) = (rows, width);
        Interlocked.Increment(ref s_live);
    }

    /// <summary>Activations of this process not yet disposed: flat over any number of steps.</summary>
    public static long Live => Interlocked.Read(ref s_live);

    public int Rows { get; }
    public int Width { get; }
    public bool IsDisposed { get; private set; }

    public void Dispose()
    {
        if (IsDisposed) return;
        IsDisposed = true;
        Interlocked.Decrement(ref s_live);
        Release();
        GC.SuppressFinalize(this);
    }

    /// <summary>Frees the memory, once.</summary>
    protected abstract void Release();
}
