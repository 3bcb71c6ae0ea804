namespace ActorLlama.Kernels;

/// <summary>
/// A block of 64 positions of one layer's keys and values. Per KV head, keys lie by dimension ([h][64], so that a score's lanes are keys)
/// and values by position ([64][h], padded to whole groups of 32); bfloat16 or float32.
/// </summary>
public readonly record struct KvLayout(int KvHeads, int HeadDim, bool IsBf16)
{
    public const int Positions = 64;

    internal int ElementBytes => IsBf16 ? 2 : 4;
    internal int ValueWidth => (HeadDim + WeightPanels.Width - 1) / WeightPanels.Width * WeightPanels.Width;

    /// <summary>Bytes of one block.</summary>
    public long BlockBytes => (long)KvHeads * Positions * (HeadDim + ValueWidth) * ElementBytes;

    internal long KeyOffset(int head) => (long)head * Positions * HeadDim * ElementBytes;

    internal long ValueOffset(int head) => ((long)KvHeads * HeadDim + (long)head * ValueWidth) * Positions * ElementBytes;

    /// <summary>Stores the keys and values [KvHeads · HeadDim] of the position <paramref name="slot"/> within the block.</summary>
    public unsafe void Write(nint block, int slot, float* keys, float* values)
    {
        for (var head = 0; head < KvHeads; head++, keys += HeadDim, values += HeadDim)
        {
            var k = (byte*)block + KeyOffset(head);
            var v = (byte*)block + ValueOffset(head);
            for (var d = 0; d < ValueWidth; d++)
            {
                var value = d < HeadDim ? values[d] : 0f;
                var (at, place) = (d * Positions + slot, slot * ValueWidth + d);
                if (IsBf16)
                {
                    if (d < HeadDim) ((ushort*)k)[at] = Bf16.FromSingle(keys[d]);
                    ((ushort*)v)[place] = Bf16.FromSingle(value);
                }
                else
                {
                    if (d < HeadDim) ((float*)k)[at] = keys[d];
                    ((float*)v)[place] = value;
                }
            }
        }
    }
}
