namespace ActorLlama.Model;

/// <summary>
/// The primitives that Llama 4 is written over, on one device. Two implementations: <c>CpuBackend</c> (own kernels, same bits whatever
/// the batch) and <c>TorchBackend</c> (libtorch: GPUs, autograd, the oracle). Weights are loaded by one thread at a time,
/// which may be another than the device's one thread, from which all other calls come. Every
/// returned activation belongs to the caller; arguments are only read. Values between primitives are of type <see cref="Activations"/>.
/// </summary>
public interface IBackend : IDisposable
{
    /// <summary>"cpu:0", "cuda:0".</summary>
    string Device { get; }

    ActivationType Activations { get; }

    /// <summary>
    /// Equal on two hosts exactly when equal inputs give equal bits there: kernel version, dtypes, hash of the tables.
    /// </summary>
    string NumericFingerprint { get; }

    // Weights. Each checks shape against use when first used, and NaN while loading unless it is allowed.

    /// <summary>[n] gains of a norm.</summary>
    Weight LoadVector(StoredTensor tensor, WeightLoading loading);

    /// <summary>[V,D], one row a token.</summary>
    Weight LoadEmbedding(StoredTensor tensor, WeightLoading loading);

    /// <summary>[out,in]: y = x·Wᵀ.</summary>
    Weight LoadLinear(StoredTensor tensor, WeightLoading loading);

    /// <summary>Experts [first, first + count) of gate_up [E,D,2F] (gate columns, then up) and down [E,F,D]. Touches no other expert's bytes.</summary>
    Weight LoadExperts(StoredTensor gateUp, StoredTensor down, int first, int count, WeightLoading loading);

    // In and out.

    /// <summary>Bytes of one row of <paramref name="width"/> values on the wire: 4 a value, or 2 when activations are bfloat16.</summary>
    int RowBytes(int width);

    Activation Read(ReadOnlySpan<byte> bytes, int rows, int width);

    /// <summary>Copies all rows of <paramref name="x"/> out, as the wire has them.</summary>
    void Write(Activation x, Span<byte> bytes);

    /// <summary>Copies row <paramref name="row"/> as float32.</summary>
    void CopyRow(Activation x, int row, Span<float> values);

    /// <summary>Has <paramref name="look"/> look at each of these rows, as float32, in any order and maybe from several threads at once.</summary>
    void ForEachRow(Activation x, ReadOnlySpan<int> rows, RowLook look)
    {
        var values = new float[x.Width];
        for (var i = 0; i < rows.Length; i++)
        {
            CopyRow(x, rows[i], values);
            look(i, values);
        }
    }

    // Primitives.

    Activation Embed(Weight table, ReadOnlySpan<int> ids);

    /// <summary>RMSNorm with gains (spec 2.1).</summary>
    Activation Norm(Activation x, Weight gain);

    Activation Linear(Activation x, Weight matrix);

    /// <summary>norm, then the three projections (spec 2.2).</summary>
    Qkv NormQkv(Activation x, Weight gain, Weight q, Weight k, Weight v);

    /// <summary>RoPE and q/k norm on rotary layers (2.3, 2.4), temperature on NoPE layers (2.6). Consumes nothing, returns new q, k and the same v.</summary>
    Qkv Position(Qkv qkv, int layer, RowBatch rows);

    /// <summary>Writes k and v to the rows' caches, then attends over them with the layer's mask (2.7, 2.8): [T, heads·h].</summary>
    Activation Attend(Qkv qkv, int layer, RowBatch rows);

    /// <summary>A fresh cache for the layers [firstLayer, firstLayer + layers).</summary>
    KvCache NewCache(int firstLayer, int layers);

    /// <summary>Bytes that all caches hold now, blocks that several share counted once. Any thread may ask.</summary>
    long KvBytes { get; }

    /// <summary>
    /// Router logits, top-k by logit (lowest id wins ties), and the inputs scaled by their sigmoid scores (2.10). k rows per row of x, ascending by expert id.
    /// </summary>
    Routing Route(Activation x, Weight router, int expertsPerToken);

    /// <summary>Wdown( silu(Wgate x) * (Wup x) ) (2.9).</summary>
    Activation GatedFfn(Activation x, Weight gate, Weight up, Weight down);

    /// <summary>
    /// A gated FFN that may wait for the next <see cref="ExpertFfn"/>, to run beside it. It is computed when <see cref="CatchUp"/> is called or the result is read at the
    /// latest; <paramref name="x"/> lives until then. Whoever disposes both before has dropped it.
    /// </summary>
    Activation GatedFfnLater(Activation x, Weight gate, Weight up, Weight down) => GatedFfn(x, gate, up, down);

    /// <summary>Computes what waits.</summary>
    void CatchUp()
    {
    }

    /// <summary>The gated FFN of expert <paramref name="experts"/>[i] (absolute index) for row i; any order of rows, any rows per expert.</summary>
    Activation ExpertFfn(Activation rows, ReadOnlySpan<int> experts, Weight expertWeights);

    Activation Add(Activation a, Activation b);

    /// <summary>Sums each <paramref name="k"/> consecutive rows in order: [T·k, D] to [T, D]. For k = 1 a copy or the same values.</summary>
    Activation SumGroups(Activation x, int k);

    /// <summary>final norm and lm_head, float32 (2.11).</summary>
    Activation Logits(Activation x, Weight gain, Weight head);

    /// <summary>Rows of x in the order given.</summary>
    Activation TakeRows(Activation x, ReadOnlySpan<int> rows);

    /// <summary>One activation of <paramref name="rows"/> rows out of parts: row i of part p goes to <paramref name="places"/>[p][i].</summary>
    Activation PlaceRows(int rows, IReadOnlyList<Activation> parts, IReadOnlyList<int[]> places);
}

/// <summary>Looks at the <paramref name="index"/>th row that was named; its values are there for the call.</summary>
public delegate void RowLook(int index, ReadOnlySpan<float> values);

/// <summary>Queries [T, Hq·h], keys and values [T, Hk·h].</summary>
public readonly record struct Qkv(Activation Q, Activation K, Activation V) : IDisposable
{
    public void Dispose()
    {
        Q.Dispose();
        K.Dispose();
        V.Dispose();
    }
}

/// <summary>What the router chose: expert of each of the T·k assignments and their input rows, already multiplied by the score.</summary>
public sealed record Routing(int[] Experts, Activation Scaled, int ExpertsPerToken) : IDisposable
{
    public void Dispose() => Scaled.Dispose();
}
