using ActorLlama.Kernels;

namespace ActorLlama.Model;

/// <summary>
/// The KV blocks of one CPU device: native memory that is given back when its last holder returns it. For the device's one thread;
/// <see cref="Bytes"/> may be read by any.
/// </summary>
internal sealed class CpuKvBlocks(NativePool pool, KvLayout layout)
{
    /// <summary>How many hold a block beside the first; blocks with one holder are not in it.</summary>
    private readonly Dictionary<nint, int> _others = [];
    private long _bytes;

    /// <summary>Of all blocks, shared ones once.</summary>
    public long Bytes => Interlocked.Read(ref _bytes);

    public KvLayout Layout => layout;

    public nint Rent()
    {
        Interlocked.Add(ref _bytes, layout.BlockBytes);
        return pool.Rent(layout.BlockBytes);
    }

    /// <summary>One more holder; it must not be written any more.</summary>
    public void Share(nint block) => _others[block] = _others.GetValueOrDefault(block) + 1;

    public void Return(nint block)
    {
        if (_others.Remove(block, out var others))
        {
            if (others > 1) _others[block] = others - 1;
            return;
        }

        Interlocked.Add(ref _bytes, -layout.BlockBytes);
        pool.Return(block, layout.BlockBytes);
    }
}
