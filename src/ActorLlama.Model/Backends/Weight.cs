namespace ActorLlama.Model;

/// <summary>
/// A loaded weight, opaque above the backend that made it: a vector, a [out,in] matrix, an embedding table or a group of experts.
/// Disposed by the owner (stage, expert group) before the <see cref="ITensorSource"/> it may still read from.
/// </summary>
public abstract class Weight : IDisposable
{
    /// <summary>Bytes of device memory this weight holds, mapped pages it reads in place included.</summary>
    public abstract long Bytes { get; }

    /// <summary>Those of them that are copies: memory that the file's pages cannot stand in for.</summary>
    public abstract long CopiedBytes { get; }

    /// <summary>
    /// What it was loaded from as the device has it now, bit for bit in the stored type: one tensor, or of a group of experts its gate_up [n,D,2F] and down [n,F,D].
    /// Readable until it is disposed.
    /// </summary>
    public abstract IReadOnlyList<TensorData> Contents { get; }

    public abstract void Dispose();
}
