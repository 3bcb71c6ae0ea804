using System.Runtime.InteropServices;

namespace ActorLlama.Model.Tests;

public sealed class CpuBackendTests : IDisposable
{
    private static readonly LlamaConfig s_config = CpuModel.Config with { HiddenSize = 96, ExpertHidden = 128, DenseHidden = 75, VocabSize = 101 };

    private static readonly WeightLoading s_loading = new();

    private readonly RandomWeights _weights = new(s_config, seed: 2);
    private readonly CpuBackend _backend = new(3, 2, ActivationType.Float32, s_config);

    public void Dispose()
    {
        _backend.Dispose();
        _weights.Dispose();
    }

    private CpuExperts Experts(int first, int count) =>
        (CpuExperts)_backend.LoadExperts(_weights.Get(ParameterNames.ExpertsGateUp(0)), _weights.Get(ParameterNames.ExpertsDown(0)), first, count, s_loading);

    private Activation Rows(int rows, int width, int seed = 1)
    {
        var random = new Random(seed);
        var values = Enumerable.Range(0, rows * width).Select(_ => (float)(random.NextDouble() - 0.5)).ToArray();
        return _backend.Read(MemoryMarshal.AsBytes<float>(values), rows, width);
    }

    [Fact]
    public void A_row_s_expert_gives_the_same_bits_in_any_order_and_company_and_from_any_slice()
    {
        var width = s_config.HiddenSize;
        using var all = Experts(0, 3);
        using var last = Experts(2, 1);
        using var x = Rows(9, width);
        int[] ids = [2, 0, 1, 2, 2, 0, 1, 2, 0];
        using var together = _backend.ExpertFfn(x, ids, all);
        var expected = _backend.Values(together);
        for (var row = 0; row < 9; row++)
        {
            using var one = _backend.TakeRows(x, [row]);
            using var alone = _backend.ExpertFfn(one, [ids[row]], ids[row] == 2 ? last : all);
            CpuModel.AssertSameBits(expected.AsSpan(row * width, width), _backend.Values(alone), $"row {row}");
        }
        using var turned = _backend.TakeRows(x, [8, 7, 6, 5, 4, 3, 2, 1, 0]);
        using var backwards = _backend.ExpertFfn(turned, [.. ids.Reverse()], all);
        using var restored = _backend.PlaceRows(9, [backwards], [[8, 7, 6, 5, 4, 3, 2, 1, 0]]);
        CpuModel.AssertSameBits(expected, _backend.Values(restored), "reversed");
    }

    [Fact]
    public void Experts_whose_widths_fill_no_whole_panel_are_packed_and_give_the_same_kind_of_result()
    {
        var config = s_config with { HiddenSize = 50, ExpertHidden = 75, Layers = 1, UsesRope = [true], IsMoe = [true] };
        using var weights = new RandomWeights(config, seed: 5, ElementType.Float32);
        using var backend = new CpuBackend(0, 2, ActivationType.Float32, config);
        StoredTensor gateUp = weights.Get(ParameterNames.ExpertsGateUp(0)), down = weights.Get(ParameterNames.ExpertsDown(0));
        using var experts = backend.LoadExperts(gateUp, down, 1, 2, s_loading);
        using var torch = Backends.Create(Backends.Torch, config);
        using var oracle = torch.LoadExperts(gateUp, down, 1, 2, s_loading);
        var bytes = MemoryMarshal.AsBytes<float>(Enumerable.Range(0, 150).Select(i => MathF.Sin(i)).ToArray()).ToArray();
        using Activation x = backend.Read(bytes, 3, 50), xt = torch.Read(bytes, 3, 50);
        using Activation y = backend.ExpertFfn(x, [2, 1, 2], experts), yt = torch.ExpertFfn(xt, [2, 1, 2], oracle);
        Assert.All(backend.Values(y).Zip(torch.Values(yt)), pair => Assert.Equal(pair.Second, pair.First, 1e-4f));
    }

    [Fact]
    public void A_NaN_weight_is_named_with_its_element()
    {
        _weights.Set(ParameterNames.AttnQ(1), 1234, float.NaN);
        var e = Assert.Throws<InvalidDataException>(() => _backend.LoadLinear(_weights.Get(ParameterNames.AttnQ(1)), s_loading));
        Assert.Contains($"\"{ParameterNames.AttnQ(1)}\" holds NaN at element 1234.", e.Message);
        _backend.LoadLinear(_weights.Get(ParameterNames.AttnQ(1)), new WeightLoading(AllowNaN: true)).Dispose();
    }

    [Fact]
    public void NaN_in_another_shard_s_experts_is_neither_seen_nor_touched()
    {
        var perExpert = s_config.HiddenSize * 2L * s_config.ExpertHidden;
        _weights.Set(ParameterNames.ExpertsGateUp(0), perExpert + 7, float.NaN);
        using var first = Experts(0, 1);
        using var last = Experts(2, 1);
        var e = Assert.Throws<InvalidDataException>(() => Experts(1, 2));
        Assert.Contains($"element {perExpert + 7}.", e.Message);
        using var x = Rows(2, s_config.HiddenSize);
        using var y = _backend.ExpertFfn(x, [0, 0], first);
        Assert.DoesNotContain(_backend.Values(y), float.IsNaN);
    }

    [Fact]
    public void Arguments_that_do_not_fit_are_named_with_both_sizes()
    {
        using var x = Rows(2, 100);
        using var q = _backend.LoadLinear(_weights.Get(ParameterNames.AttnQ(0)), s_loading);
        using var gain = _backend.LoadVector(_weights.Get(ParameterNames.AttnNorm(0)), s_loading);
        using var experts = Experts(1, 2);
        Assert.Contains("100", Assert.Throws<ArgumentException>(() => _backend.Linear(x, q)).Message);
        Assert.Contains("96", Assert.Throws<ArgumentException>(() => _backend.Norm(x, gain)).Message);
        Assert.Contains("CpuVector", Assert.Throws<ArgumentException>(() => _backend.Linear(x, gain)).Message);
        Assert.Contains("expert 0", Assert.Throws<ArgumentOutOfRangeException>(() => _backend.ExpertFfn(x, [0, 1], experts)).Message);
        Assert.Contains("row 2", Assert.Throws<ArgumentOutOfRangeException>(() => _backend.TakeRows(x, [2])).Message);
        Assert.Contains("row 1", Assert.Throws<ArgumentException>(() => _backend.PlaceRows(3, [x], [[0, 2]])).Message);
        Assert.Contains("3 rows", Assert.Throws<ArgumentException>(() => _backend.Read(new byte[7], 3, 5)).Message);
        using var table = _backend.LoadEmbedding(_weights.Get(ParameterNames.Embed), s_loading);
        Assert.Contains("101", Assert.Throws<ArgumentOutOfRangeException>(() => _backend.Embed(table, [0, 101])).Message);
    }

    [Fact]
    public void What_is_written_can_be_read_and_bfloat16_takes_two_bytes()
    {
        foreach (var type in new[] { ActivationType.Float32, ActivationType.BFloat16 })
        {
            using var backend = new CpuBackend(0, 1, type, s_config);
            Assert.Equal(type == ActivationType.Float32 ? 28 : 14, backend.RowBytes(7));
            var bytes = new byte[3 * backend.RowBytes(7)];
            for (var i = 0; i < bytes.Length; i++) bytes[i] = (byte)(i * 3 % 60);
            using var x = backend.Read(bytes, 3, 7);
            var copy = new byte[bytes.Length];
            backend.Write(x, copy);
            Assert.Equal(bytes, copy);
        }
    }

    [Fact]
    public void Steps_leave_no_activation_and_no_memory_behind()
    {
        using var decoder = LlamaDecoder.Load(_backend, s_config, _weights);
        var rented = _backend.RentedBytes;
        using (var cache = decoder.NewCache())
            for (var position = 0; position < 10; position++) decoder.Run(_backend, (cache, position, [position]));
        Assert.Equal(rented, _backend.RentedBytes);
    }

    [Fact]
    public void The_fingerprint_is_of_the_arithmetic_not_of_the_device()
    {
        using var other = new CpuBackend(0, 1, ActivationType.Float32, s_config);
        using var halves = new CpuBackend(3, 2, ActivationType.BFloat16, s_config);
        using var turned = new CpuBackend(3, 2, ActivationType.Float32, s_config with { RopeTheta = 10000 });
        Assert.Equal("cpu:3", _backend.Device);
        Assert.Equal(_backend.NumericFingerprint, other.NumericFingerprint);
        Assert.NotEqual(_backend.NumericFingerprint, halves.NumericFingerprint);
        Assert.NotEqual(_backend.NumericFingerprint, turned.NumericFingerprint);
    }
}
