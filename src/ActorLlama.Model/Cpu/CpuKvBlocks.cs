using ActorLlama.Kernels;

namespace ActorLlama.Model;

/// <summary>
/// The KV blocks of one CPU device: a block is free for another sequence when its last holder has returned it. For the device's one thread;
/// <see cref="Bytes"/> may be read by any.
/// </summary>
internal sealed class CpuKvBlocks(KvLayout layout) : IDisposable
{
    private readonly BlockPool _pool = new(layout.BlockBytes);

    /// <summary>How many hold a block beside the first; blocks with one holder are not in it.</summary>
    private readonly Dictionary<nint, int> _others = [];

    /// <summary>Of all blocks, shared ones once.</summary>
    public long Bytes => _pool.RentedBytes;

    public KvLayout Layout => layout;

    public nint Rent() => _pool.Rent();

    /// <summary>One more holder; it must not be written any more.</summary>
    public void Share(nint block) => _others[block] = _others.GetValueOrDefault(block) + 1;

    public void Return(nint block)
    {
        if (_others.Remove(block, out var others))
        {
            if (others > 1) _others[block] = others - 1;
            return;
        }

        _pool.Return(block);
    }

    public void Dispose() => _pool.Dispose();
}
