using System.Runtime.InteropServices;
using static TorchSharp.torch;

namespace ActorLlama.Model;

/// <summary>
/// The primitives on libtorch: any device it knows, differentiable (no in-place operation touches the graph), and the oracle of the
/// tests. Matrix products are libtorch's, so equal bits across batch shapes are not promised.
/// </summary>
public sealed class TorchBackend : IBackend
{
    private readonly LlamaConfig _config;
    private readonly Device _device;
    private readonly ScalarType _type;
    private readonly TorchPositions _positions;
    private readonly TorchKvBlocks _kvBlocks;
    private readonly ExpertKernel _experts;

    /// <param name="config">The model: head widths, positions and masks come from it.</param>
    /// <param name="device">"cpu", "cpu:N" or "cuda:N"; <see cref="InvalidDataException"/> when there is none.</param>
    /// <param name="activations">Type of all values between two primitives, and of the KV cache.</param>
    /// <param name="strategy">How products over experts are computed.</param>
    public TorchBackend(LlamaConfig config, string device, ActivationType activations, MoeStrategy strategy = MoeStrategy.Grouped)
    {
        _experts = ExpertKernel.Of(strategy);
        _device = TorchDevices.Find(device);
        (_config, Activations) = (config, activations);
        Device = device.Contains(':', StringComparison.Ordinal) ? device : device + ":0";
        _type = TorchMemory.TypeOf(activations);
        _positions = new TorchPositions(config, new RotaryAngles(config), _device);
        _kvBlocks = new TorchKvBlocks(config.KvHeads * config.HeadDim, _type, _device);
        NumericFingerprint = $"torch {__version__} {_device.type} {activations} {PositionFingerprint.Of(config)}";
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
        return new TorchActivation(TorchMath.Norm(TorchActivation.Of(x), TorchWeight.Of(gain), _config.NormEps));
    }

    public Activation Linear(Activation x, Weight matrix)
    {
        using var scope = NewDisposeScope();
        return new TorchActivation(TorchMath.Linear(TorchActivation.Of(x), TorchWeight.Of(matrix)));
    }

    public Qkv NormQkv(Activation x, Weight gain, Weight q, Weight k, Weight v)
    {
        using var scope = NewDisposeScope();
        var normed = TorchMath.Norm(TorchActivation.Of(x), TorchWeight.Of(gain), _config.NormEps);
        return new Qkv(Project(q), Project(k), Project(v));

        TorchActivation Project(Weight matrix) => new(TorchMath.Linear(normed, TorchWeight.Of(matrix)));
    }

    public Qkv Position(Qkv qkv, int layer, RowBatch rows)
    {
        using var scope = NewDisposeScope();
        Tensor q = TorchActivation.Of(qkv.Q), k = TorchActivation.Of(qkv.K);
        if (_config.UsesRope[layer]) return new Qkv(Turn(q), Turn(k), qkv.V);
        if (!_config.TemperatureTuning) return new Qkv(new TorchActivation(q.alias()), new TorchActivation(k.alias()), qkv.V);
        var warmed = (q.to(ScalarType.Float32) * _positions.Temperature_T1(rows)).to(_type);
        return new Qkv(new TorchActivation(warmed), new TorchActivation(k.alias()), qkv.V);

        TorchActivation Turn(Tensor x_TD)
        {
            var (cos, sin) = _positions.Angles_T1p(rows);
            var turned = TorchMath.Rotate(x_TD.unflatten(1, -1, _config.HeadDim), cos, sin);
            return new((_config.QkNorm ? TorchMath.Normalized(turned, _config.NormEps) : turned).flatten(1));
        }
    }

    public Activation Attend(Qkv qkv, int layer, RowBatch rows)
    {
        using var scope = NewDisposeScope();
        Tensor q = TorchActivation.Of(qkv.Q), k = TorchActivation.Of(qkv.K), v = TorchActivation.Of(qkv.V);
        var parts = new List<Tensor>();
        var at = 0;
        foreach (var sequence in rows.Sequences)
        {
            parts.Add(AttendOne(q.narrow(0, at, sequence.Count), k.narrow(0, at, sequence.Count), v.narrow(0, at, sequence.Count), layer, sequence));
            at += sequence.Count;
        }
        return new TorchActivation(cat(parts));
    }

    public KvCache NewCache(int firstLayer, int layers) => new TorchKvCache(_kvBlocks, _config, firstLayer, layers);

    public long KvBytes => _kvBlocks.Bytes;

    public Routing Route(Activation x, Weight router, int expertsPerToken)
    {
        using var scope = NewDisposeScope();
        var x_TD = TorchActivation.Of(x);
        var z_TE = TorchMath.Linear(x_TD, TorchWeight.Of(router));
        var experts = TorchRouting.Choose(z_TE, expertsPerToken);
        var z_Tk = z_TE.gather(1, TorchMemory.Indices(experts, _device).view(x.Rows, expertsPerToken));
        var s_A1 = z_Tk.to(ScalarType.Float32).sigmoid().to(_type).view(-1, 1);
        var rows_AD = expertsPerToken == 1 ? x_TD : x_TD.repeat_interleave(expertsPerToken, 0);
        return new Routing(experts, new TorchActivation(rows_AD * s_A1), expertsPerToken);
    }

    public Activation GatedFfn(Activation x, Weight gate, Weight up, Weight down)
    {
        using var scope = NewDisposeScope();
        var x_TD = TorchActivation.Of(x);
        var h_TF = TorchMath.Gated(TorchMath.Linear(x_TD, TorchWeight.Of(gate)), TorchMath.Linear(x_TD, TorchWeight.Of(up)));
        return new TorchActivation(TorchMath.Linear(h_TF, TorchWeight.Of(down)));
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
        var normed = TorchMath.Norm(TorchActivation.Of(x), TorchWeight.Of(gain), _config.NormEps);
        return new TorchActivation(TorchMath.Logits(normed, TorchWeight.Of(head)));
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

    private Tensor AttendOne(Tensor q_nD, Tensor k_nD, Tensor v_nD, int layer, SequenceRows rows)
    {
        if (rows.Cache is not { } held) return TorchMath.Attention(Heads(q_nD), Heads(k_nD), Heads(v_nD), rows.Start, rows.Start, _config.ChunkOf(layer));
        var cache = (TorchKvCache)held;
        cache.Write(layer, rows.Start, k_nD, v_nD);
        // Earlier positions come from the cache, the batch's own from the graph.
        var first = cache.FirstVisible(layer, rows.Start);
        var (k, v) = (k_nD, v_nD);
        if (first < rows.Start)
        {
            var (pastK, pastV) = cache.Gather(layer, first, rows.Start);
            (k, v) = (cat([pastK, k_nD]), cat([pastV, v_nD]));
        }
        return TorchMath.Attention(Heads(q_nD), Heads(k), Heads(v), rows.Start, first, _config.ChunkOf(layer));

        Tensor Heads(Tensor x) => x.unflatten(1, -1, _config.HeadDim);
    }

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
