using System.Collections.Immutable;

namespace ActorLlama.Model;

/// <summary>Matrices of a <see cref="StoredTensor"/> that stay in memory until disposed; before the tensor's source is.</summary>
/// <param name="first">Index of the first matrix.</param>
/// <param name="addresses">First byte of each.</param>
/// <param name="rowStride">Elements from one row to the next.</param>
/// <param name="copiedBytes">Bytes of them that are copies, rather than lie in a mapped file.</param>
/// <param name="release">Called once, by <see cref="Dispose"/>; null where there is nothing to give back.</param>
public sealed class HeldEntries(int first, ImmutableArray<nint> addresses, long rowStride, long copiedBytes, Action? release) : IDisposable
{
    private Action? _release = release;

    public long RowStride { get; } = rowStride;

    public long CopiedBytes { get; } = copiedBytes;

    /// <summary>Address of a matrix by its index in the tensor.</summary>
    public nint this[int index] => addresses[index - first];

    public void Dispose() => Interlocked.Exchange(ref _release, null)?.Invoke();
}
