using System.Runtime.InteropServices;
using static TorchSharp.torch;

namespace ActorLlama.Model;

/// <summary>
/// The primitives on libtorch: any device it knows, differentiable (no in-place operation touches the graph), and the oracle of the
/// tests. Matrix products are libtorch's, so equal bits across batch shapes are promised only of a deterministic one, which calls it with one shape (<see cref="RowTiles"/>).
/// </summary>
public sealed class TorchBackend : IBackend
{
    private readonly LlamaConfig _config;
    private readonly Device _device;
    private readonly ScalarType _type;
    private readonly TorchPositions _positions;
    private readonly TorchKvBlocks _kvBlocks;
    private readonly ExpertKernel _experts;
    private readonly bool _deterministic;

    /// <param name="config">The model: head widths, positions and masks come from it.</param>
    /// <param name="device">"cpu", "cpu:N" or "cuda:N"; <see cref="InvalidDataException"/> when there is none.</param>
    /// <param name="activations">Type of all values between two primitives, and of the KV cache.</param>
    /// <param name="strategy">How products over experts are computed; a deterministic one has but one way.</param>
    /// <param name="deterministic">A row has the same bits whatever else is in the batch, on devices of one kind. Costs time (docs/performance.md).</param>
    public TorchBackend(LlamaConfig config, string device, ActivationType activations, MoeStrategy strategy = MoeStrategy.Grouped, bool deterministic = false)
    {
        _experts = deterministic ? new TiledKernel(RowTiles.Rows, oneShape: true) : ExpertKernel.Of(strategy);
        _deterministic = deterministic;
        _device = TorchDevices.Find(device);
        (_config, Activations) = (config, activations);
        Device = device.Contains(':', StringComparison.Ordinal) ? device : device + ":0";
        _type = TorchMemory.TypeOf(activations);
        _positions = new TorchPositions(config, new RotaryAngles(config), _device);
        _kvBlocks = new TorchKvBlocks(config.KvHeads * config.HeadDim, _type, _device);
        var kind = TorchDevices.KindOf(_device) + (deterministic ? $", tiles of {RowTiles.Rows}" : "");
        NumericFingerprint = $"torch {__version__} {kind}, activations {activations}, tables {PositionFingerprint.Of(config)}";
    }

    public string Device { get; }

    public ActivationType Activations { get; }

    public string NumericFingerprint { get; }

    public Weight LoadVector(StoredTensor tensor, WeightLoading loading) => Load(tensor, 1, loading);

    public Weight LoadEmbedding(StoredTensor tensor, WeightLoading loading) => Load(tensor, 2, loading);

    public Weight LoadLinear(StoredTensor tensor, WeightLoading loading) => Load(tensor, 2, loading);

    public Weight LoadExperts(StoredTensor gateUp, StoredTensor down, int first, int count, WeightLoading loading)
    {
        RequireAxes(gateUp, 3);
        RequireAxes(down, 3);
        using var scope = NewDisposeScope();
        return new TorchWeight(
            TorchMemory.LoadSlices(gateUp, first, count, _device, loading), TorchMemory.LoadSlices(down, first, count, _device, loading), first, gateUp.Name, down.Name);
    }

    public int RowBytes(int width) => checked(width * (Activations == ActivationType.Float32 ? 4 : 2));

    public Activation Read(ReadOnlySpan<byte> bytes, int rows, int width) => new TorchActivation(TorchMemory.Read(bytes, rows, width, _type, _device));

    public void Write(Activation x, Span<byte> bytes) => TorchMemory.Write(TorchActivation.Of(x), bytes);

    public void CopyRow(Activation x, int row, Span<float> values)
    {
        using var scope = NewDisposeScope();
        TorchMemory.Write(TorchActivation.Of(x).select(0, row).to(ScalarType.Float32), MemoryMarshal.AsBytes(values));
    }

    public Activation Embed(Weight table, ReadOnlySpan<int> ids)
    {
        using var scope = NewDisposeScope();
        var vocab = TorchWeight.Of(table).shape[0];
        foreach (var id in ids)
            if (id < 0 || id >= vocab) throw new ArgumentOutOfRangeException(nameof(ids), id, $"Torch: a token id must be at least 0 and below {vocab}.");
        return new TorchActivation(TorchWeight.Of(table).index_select(0, TorchMemory.Indices(ids, _device)).to(_type));
    }

    public Activation Norm(Activation x, Weight gain)
    {
        using var scope = NewDisposeScope();
        return new TorchActivation(Norm(TorchActivation.Of(x), gain));
    }

    public Activation Linear(Activation x, Weight matrix)
    {
        using var scope = NewDisposeScope();
        return new TorchActivation(Linear(TorchActivation.Of(x), matrix));
    }

    public Qkv NormQkv(Activation x, Weight gain, Weight q, Weight k, Weight v)
    {
        using var scope = NewDisposeScope();
        var normed = Norm(TorchActivation.Of(x), gain);
        return new Qkv(Project(q), Project(k), Project(v));

        TorchActivation Project(Weight matrix) => new(Linear(normed, matrix));
    }

    public Qkv Position(Qkv qkv, int layer, RowBatch rows)
    {
        using var scope = NewDisposeScope();
        Tensor q = TorchActivation.Of(qkv.Q), k = TorchActivation.Of(qkv.K);
        if (_config.UsesRope[layer])
        {
            // Heads of both at once: half the calls.
            var turned = EachRow(
                tile =>
                {
                    var heads = TorchMath.Rotate(tile[0].unflatten(1, -1, _config.HeadDim), tile[1]);
                    return (_config.QkNorm ? TorchMath.Normalized(heads, _config.NormEps) : heads).flatten(1);
                },
                cat([q, k], 1), _positions.Angles_T1p(rows));
            return new Qkv(Part(0, q.shape[1]), Part(q.shape[1], k.shape[1]), qkv.V);

            TorchActivation Part(long from, long width) => new(turned.narrow(1, from, width));
        }
        if (!_config.TemperatureTuning) return new Qkv(new TorchActivation(q.alias()), new TorchActivation(k.alias()), qkv.V);
        var warmed = (q.to(ScalarType.Float32) * _positions.Temperature_T1(rows)).to(_type);
        return new Qkv(new TorchActivation(warmed), new TorchActivation(k.alias()), qkv.V);
    }

    public Activation Attend(Qkv qkv, int layer, RowBatch rows)
    {
        using var scope = NewDisposeScope();
        Tensor q = TorchActivation.Of(qkv.Q), k = TorchActivation.Of(qkv.K), v = TorchActivation.Of(qkv.V);
        var parts = new List<Tensor>();
        var (at, next) = (0, 0);
        while (next < rows.Sequences.Length)
        {
            var together = _deterministic ? 0 : SingleRows.Together(rows.Sequences.AsSpan()[next..], layer);
            if (together > 1)
            {
                var caches = rows.Sequences.AsSpan().Slice(next, together);
                parts.Add(SingleRows.Attend(Heads(q.narrow(0, at, together)), k.narrow(0, at, together), v.narrow(0, at, together), layer, caches));
                (at, next) = (at + together, next + together);
                continue;
            }
            var sequence = rows.Sequences[next++];
            parts.Add(AttendOne(q.narrow(0, at, sequence.Count), k.narrow(0, at, sequence.Count), v.narrow(0, at, sequence.Count), layer, sequence));
            at += sequence.Count;
        }
        return new TorchActivation(TorchMath.Joined(parts));
    }

    public KvCache NewCache(int firstLayer, int layers) => new TorchKvCache(_kvBlocks, _config, firstLayer, layers);

    public long KvBytes => _kvBlocks.Bytes;

    public Routing Route(Activation x, Weight router, int expertsPerToken)
    {
        using var scope = NewDisposeScope();
        var x_TD = TorchActivation.Of(x);
        var z_TE = Linear(x_TD, router);
        var experts = TorchRouting.Choose(z_TE, expertsPerToken);
        var z_Tk = z_TE.gather(1, TorchMemory.Indices(experts, _device).view(x.Rows, expertsPerToken));
        var s_A1 = EachRow(tile => tile[0].to(ScalarType.Float32).sigmoid().to(_type), z_Tk).reshape(-1, 1);
        var rows_AD = expertsPerToken == 1 ? x_TD : x_TD.repeat_interleave(expertsPerToken, 0);
        return new Routing(experts, new TorchActivation(rows_AD * s_A1), expertsPerToken);
    }

    public Activation GatedFfn(Activation x, Weight gate, Weight up, Weight down)
    {
        using var scope = NewDisposeScope();
        return new TorchActivation(EachRow(tile => Linear(TorchMath.Gated(Linear(tile[0], gate), Linear(tile[0], up)), down), TorchActivation.Of(x)));
    }

    public Activation ExpertFfn(Activation rows, ReadOnlySpan<int> experts, Weight expertWeights)
    {
        using var scope = NewDisposeScope();
        var (gateUp_ED2F, down_EFD, first) = TorchWeight.ExpertsOf(expertWeights);
        return new TorchActivation(ExpertFfns.Run(_experts, TorchActivation.Of(rows), experts, gateUp_ED2F, down_EFD, first));
    }

    /// <summary>Matrix products over experts that were launched so far.</summary>
    public long ExpertProducts => _experts.Products;

    /// <summary>
    /// Backward of <see cref="ExpertFfn"/> (spec 6.5), without a graph: recomputes what is between, adds the weights' gradients to sums and returns that of the rows. An
    /// expert without rows adds nothing: its sum stays exactly what it was.
    /// </summary>
    /// <param name="rows">The rows that went in [A,D].</param>
    /// <param name="experts">Each row's expert, absolute.</param>
    /// <param name="expertWeights">The group of experts.</param>
    /// <param name="gradient">Gradient of each row's output [A,D].</param>
    /// <param name="gateUpSum_ED2F">Sum of gate_up's gradients, float32 [n,D,2F].</param>
    /// <param name="downSum_EFD">Sum of down's gradients, float32 [n,F,D].</param>
    public Activation ExpertFfnBackward(
        Activation rows, ReadOnlySpan<int> experts, Weight expertWeights, Activation gradient, Tensor gateUpSum_ED2F, Tensor downSum_EFD)
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        var (gateUp_ED2F, down_EFD, first) = TorchWeight.ExpertsOf(expertWeights);
        return new TorchActivation(
            ExpertFfns.Backward(
                _experts, TorchActivation.Of(rows), experts, gateUp_ED2F, down_EFD, first, TorchActivation.Of(gradient), gateUpSum_ED2F, downSum_EFD));
    }

    public Activation Add(Activation a, Activation b) => new TorchActivation(TorchActivation.Of(a).Plus(TorchActivation.Of(b)));

    public Activation SumGroups(Activation x, int k)
    {
        using var scope = NewDisposeScope();
        var x_TkD = TorchActivation.Of(x).view(-1, k, x.Width);
        var sum_TD = x_TkD.select(1, 0).alias();
        for (var i = 1; i < k; i++) sum_TD = sum_TD.Plus(x_TkD.select(1, i));
        return new TorchActivation(sum_TD);
    }

    public Activation Logits(Activation x, Weight gain, Weight head)
    {
        using var scope = NewDisposeScope();
        return new TorchActivation(EachRow(tile => TorchMath.Logits(tile[0], TorchWeight.Of(head)), Norm(TorchActivation.Of(x), gain)));
    }

    public Activation TakeRows(Activation x, ReadOnlySpan<int> rows)
    {
        using var scope = NewDisposeScope();
        return new TorchActivation(TorchActivation.Of(x).index_select(0, TorchMemory.Indices(rows, _device)));
    }

    public Activation PlaceRows(int rows, IReadOnlyList<Activation> parts, IReadOnlyList<int[]> places)
    {
        using var scope = NewDisposeScope();
        var order = new int[rows];
        Array.Fill(order, -1);
        var at = 0;
        foreach (var part in places)
            foreach (var place in part) order[place] = at++;
        if (at != rows || order.Contains(-1)) throw new ArgumentException($"Torch: the parts' places do not cover {rows} rows once each.", nameof(places));
        return new TorchActivation(cat([.. parts.Select(TorchActivation.Of)]).index_select(0, TorchMemory.Indices(order, _device)));
    }

    public void Dispose() => _positions.Dispose();

    /// <summary><paramref name="f"/> of all rows at once, or tile by tile where that keeps a row's bits.</summary>
    private Tensor EachRow(Func<Tensor[], Tensor> f, params Tensor[] rows) => _deterministic ? RowTiles.Map(f, rows) : f(rows);

    private Tensor Norm(Tensor x_TD, Weight gain) => EachRow(tile => TorchMath.Norm(tile[0], TorchWeight.Of(gain), _config.NormEps), x_TD);

    private Tensor Linear(Tensor x_TI, Weight matrix) => EachRow(tile => TorchMath.Linear(tile[0], TorchWeight.Of(matrix)), x_TI);

    private Tensor AttendOne(Tensor q_nD, Tensor k_nD, Tensor v_nD, int layer, SequenceRows rows)
    {
        if (rows.Cache is not { } held) return Over(k_nD, v_nD, rows.Start);
        var cache = (TorchKvCache)held;
        cache.Write(layer, rows.Start, k_nD, v_nD);
        // Earlier positions come from the cache, the batch's own from the graph.
        var first = cache.FirstVisible(layer, rows.Start);
        var (k, v) = (k_nD, v_nD);
        if (first < rows.Start)
        {
            var (pastK, pastV) = cache.Gather(layer, first, rows.Start);
            (k, v) = (cat([.. pastK, k_nD]), cat([.. pastV, v_nD]));
        }
        return Over(k, v, first);

        Tensor Over(Tensor keys, Tensor values, int from) => _deterministic
            ? TiledAttention.Run(Heads(q_nD), Heads(keys), Heads(values), rows.Start, from, _config.ChunkOf(layer))
            : TorchMath.Attention(Heads(q_nD), Heads(keys), Heads(values), rows.Start, from, _config.ChunkOf(layer));
    }

    private Tensor Heads(Tensor x_nD) => x_nD.unflatten(1, -1, _config.HeadDim);

    private TorchWeight Load(StoredTensor tensor, int axes, WeightLoading loading)
    {
        RequireAxes(tensor, axes);
        return new TorchWeight(TorchMemory.Load(tensor, _device, loading), name: tensor.Name);
    }

    private static void RequireAxes(StoredTensor tensor, int axes)
    {
        if (tensor.Shape.Length != axes)
            throw new InvalidDataException($"Checkpoint: tensor \"{tensor.Name}\" has {tensor.Shape.Length} axes; this weight has {axes}.");
    }
}
