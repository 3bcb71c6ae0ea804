using static TorchSharp.torch;

namespace ActorLlama.Model;

/// <summary>Keys and values of 64 positions, [64, Hk·h] each, and how many caches hold them.</summary>
internal sealed class TorchKvBlock(Tensor k, Tensor v)
{
    public Tensor K => k;

    public Tensor V => v;

    public int Holders { get; set; } = 1;
}

/// <summary>The KV blocks of one torch device. For the device's one thread; <see cref="Bytes"/> may be read by any.</summary>
internal sealed class TorchKvBlocks(int width, ScalarType type, Device device)
{
    private long _bytes;

    public long BlockBytes => 2L * KvCache.BlockPositions * width * (type == ScalarType.Float32 ? 4 : 2);

    /// <summary>Of all blocks, shared ones once.</summary>
    public long Bytes => Interlocked.Read(ref _bytes);

    public TorchKvBlock Rent()
    {
        Interlocked.Add(ref _bytes, BlockBytes);
        return new(New(), New());
    }

    public void Return(TorchKvBlock block)
    {
        if (--block.Holders > 0) return;
        Interlocked.Add(ref _bytes, -BlockBytes);
        block.K.Dispose();
        block.V.Dispose();
    }

    private Tensor New() => zeros(KvCache.BlockPositions, width, type, device).DetachFromDisposeScope();
}
