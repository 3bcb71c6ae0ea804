namespace ActorLlama.Model.Tests;

public sealed class CpuKvCacheTests
{
    // One KV head of 32 in float32: a block of 64 positions takes 64·32·4·2 bytes.
    private const long BlockBytes = 64 * 32 * 4 * 2;

    private static readonly LlamaConfig s_config = CpuModel.Config with { KvHeads = 1, QueryHeads = 1, HeadDim = 32, AttentionChunk = 128, UsesRope = [true, true, false, true] };

    [Fact]
    public void Rotary_layers_keep_only_the_blocks_of_the_chunk_and_full_layers_keep_all()
    {
        using var backend = new CpuBackend(0, 1, ActivationType.Float32, s_config);
        using var cache = backend.NewCache(1, 2);
        foreach (var (start, count, rotaryBlocks, fullBlocks) in new[] { (0, 100, 2, 2), (100, 28, 2, 2), (128, 1, 1, 3), (129, 191, 3, 5), (320, 1, 2, 6) })
        {
            foreach (var layer in new[] { 1, 2 }) Attend(backend, cache, layer, start, count);
            Assert.Equal(start + count, cache.Length);
            Assert.Equal((rotaryBlocks + fullBlocks) * BlockBytes, cache.Bytes);
        }
    }

    [Fact]
    public void Bfloat16_takes_half_the_memory()
    {
        using var backend = new CpuBackend(0, 1, ActivationType.BFloat16, s_config);
        using var cache = backend.NewCache(2, 1);
        Attend(backend, cache, 2, 0, 1);
        Assert.Equal(BlockBytes / 2, cache.Bytes);
    }

    [Fact]
    public void Length_is_what_every_layer_holds()
    {
        using var backend = new CpuBackend(0, 1, ActivationType.Float32, s_config);
        using var cache = backend.NewCache(0, 2);
        Attend(backend, cache, 0, 0, 5);
        Assert.Equal(0, cache.Length);
        Attend(backend, cache, 1, 0, 5);
        Assert.Equal(5, cache.Length);
    }

    [Theory]
    [InlineData(11)]
    [InlineData(3)]
    public void Rows_may_start_from_the_last_batch_s_start_to_the_end_only(int start)
    {
        using var backend = new CpuBackend(0, 1, ActivationType.Float32, s_config);
        using var cache = backend.NewCache(0, 1);
        Attend(backend, cache, 0, 0, 4);
        Attend(backend, cache, 0, 4, 6);
        var e = Assert.Throws<InvalidOperationException>(() => Attend(backend, cache, 0, start, 1));
        Assert.Contains($"position {start}", e.Message);
        Assert.Contains("from 4", e.Message);
        Assert.Contains("to 10", e.Message);
    }

    [Fact]
    public void A_cache_cannot_be_in_a_batch_twice()
    {
        using var backend = new CpuBackend(0, 1, ActivationType.Float32, s_config);
        using var cache = backend.NewCache(0, 1);
        using var qkv = Rows(backend, 2);
        Assert.Throws<ArgumentException>(() => backend.Attend(qkv, 0, new RowBatch([new(cache, 0, 1), new(cache, 1, 1)])));
    }

    [Fact]
    public void A_layer_of_another_stage_is_refused()
    {
        using var backend = new CpuBackend(0, 1, ActivationType.Float32, s_config);
        using var cache = backend.NewCache(1, 2);
        var e = Assert.Throws<ArgumentOutOfRangeException>(() => Attend(backend, cache, 3, 0, 1));
        Assert.Contains("layer 3", e.Message);
        Assert.Throws<ArgumentOutOfRangeException>(() => backend.NewCache(3, 2));
    }

    private static void Attend(CpuBackend backend, KvCache cache, int layer, int start, int count)
    {
        using var qkv = Rows(backend, count);
        backend.Attend(qkv, layer, new RowBatch([new(cache, start, count)])).Dispose();
    }

    private static Qkv Rows(CpuBackend backend, int count)
    {
        var bytes = new byte[count * backend.RowBytes(32)];
        return new Qkv(backend.Read(bytes, count, 32), backend.Read(bytes, count, 32), backend.Read(bytes, count, 32));
    }
}
