using System.Globalization;
using ActorLlama.Kernels;

namespace ActorLlama.Model;

/// <summary>
/// The primitives on a CPU, by our own kernels. The bits of a row depend on its inputs and the weights alone: not on the batch, the
/// threads, the instruction set, or how a prompt was cut. This file: life, in and out; <c>CpuBackend.Loading.cs</c>: weights;
/// <c>CpuBackend.Attention.cs</c> and <c>CpuBackend.Steps.cs</c>: the primitives.
/// </summary>
public sealed unsafe partial class CpuBackend : IBackend
{
    /// <summary>Raised whenever a kernel's bits change.</summary>
    public const int KernelVersion = 1;

    private const long UnitValues = 1 << 12;

    private readonly LlamaConfig _config;
    private readonly ThreadTeam _team;
    private readonly NativePool _pool = new();
    private readonly RotaryBlocks _rotary;
    private readonly KvLayout _kvLayout;
    private readonly CpuKvBlocks _kvBlocks;
    private readonly bool _round;
    private readonly WeightType _weights;
    private readonly bool _copyWeights;
    private readonly IReadOnlyList<int> _processors;
    private readonly float _eps;
    private FfnWork? _waiting;
    private bool _disposed;

    /// <summary>
    /// Device <c>cpu:deviceIndex</c> with <paramref name="threads"/> threads, the calling one included. With <paramref name="copyWeights"/> matrices are copied into large
    /// pages in the order in which they are read, which is faster; without, they are read where they lie in files as far as their layout allows. <paramref name="processors"/>: the one that each
    /// thread stays on, the calling one's first, which sees to it itself; null or empty: any.
    /// </summary>
    public CpuBackend(
        int deviceIndex, int threads, ActivationType activations, LlamaConfig config, WeightType weights = WeightType.Stored, bool copyWeights = false, IReadOnlyList<int>? processors = null)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(deviceIndex);
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);
        Device = string.Create(CultureInfo.InvariantCulture, $"cpu:{deviceIndex}");
        Activations = activations;
        _config = config;
        _weights = weights;
        _copyWeights = copyWeights;
        _processors = processors ?? [];
        _round = activations == ActivationType.BFloat16;
        _eps = (float)config.NormEps;
        _rotary = new RotaryBlocks(new RotaryAngles(config));
        _kvLayout = new KvLayout(config.KvHeads, config.HeadDim, _round);
        _kvBlocks = new CpuKvBlocks(_kvLayout);
        var queries = config.QueryHeads / config.KvHeads;
        if (BlockAttention.ScratchBytes(_kvLayout, queries, BlockAttention.PositionsTogether(queries)) > ThreadTeam.ScratchBytes)
            throw new InvalidDataException($"Model: {queries} query heads of {config.HeadDim} share one KV head, more than the CPU kernels hold. Use another device.");
        NumericFingerprint = $"cpu-kernels {KernelVersion}, activations {(_round ? "bfloat16" : "float32")}{(weights == WeightType.Int8 ? ", weights int8" : "")}, tables {PositionFingerprint.Of(config)}";
        _team = new ThreadTeam(threads, _processors);
    }

    public string Device { get; }
    public ActivationType Activations { get; }
    public string NumericFingerprint { get; }

    /// <summary>Bytes of memory that activations and caches hold now.</summary>
    internal long RentedBytes => _pool.RentedBytes + KvBytes;

    public long KvBytes => _kvBlocks.Bytes;

    public int RowBytes(int width) => width * (_round ? sizeof(ushort) : sizeof(float));

    public Activation Read(ReadOnlySpan<byte> bytes, int rows, int width)
    {
        RequireLength(bytes.Length, rows, width);
        var x = New(rows, width);
        fixed (byte* from = bytes) RowMath.Load((nint)from, _round, (long)rows * width, x.Values, round: false);
        return x;
    }

    public void Write(Activation x, Span<byte> bytes)
    {
        RequireLength(bytes.Length, x.Rows, x.Width);
        fixed (byte* to = bytes) RowMath.Save(Of(x).Values, (long)x.Rows * x.Width, (nint)to, _round);
    }

    public void CopyRow(Activation x, int row, Span<float> values)
    {
        RequireRow(row, x.Rows);
        if (values.Length != x.Width) throw new ArgumentException($"CopyRow: room for {values.Length} values, but a row has {x.Width}.");
        new ReadOnlySpan<float>(Of(x).Row(row), x.Width).CopyTo(values);
    }

    public void ForEachRow(Activation x, ReadOnlySpan<int> rows, RowLook look)
    {
        foreach (var row in rows) RequireRow(row, x.Rows);
        var (from, places) = (Of(x), rows.ToArray());
        _team.For(places.Length, (i, _) => look(i, new ReadOnlySpan<float>(from.Row(places[i]), from.Width)));
    }

    public KvCache NewCache(int firstLayer, int layers)
    {
        if (firstLayer < 0 || layers < 0 || firstLayer + layers > _config.Layers)
            throw new ArgumentOutOfRangeException(nameof(layers), $"KV cache: layers {firstLayer} to {firstLayer + layers - 1} were asked for, but the model has {_config.Layers}.");
        return new CpuKvCache(_kvBlocks, _config, firstLayer, layers);
    }

    public void Dispose()
    {
        if (_disposed) return;
        _disposed = true;
        _team.Dispose();
        _loaders?.Dispose();
        _kvBlocks.Dispose();
        _pool.Dispose();
    }

    private CpuActivation New(int rows, int width) => new(_pool, rows, width);

    /// <summary>Both, or none where there is too little memory.</summary>
    private (CpuActivation, CpuActivation) New(int rows, int first, int second)
    {
        var one = New(rows, first);
        try
        {
            return (one, New(rows, second));
        }
        catch
        {
            one.Dispose();
            throw;
        }
    }

    private (CpuActivation, CpuActivation, CpuActivation) New(int rows, int first, int second, int third)
    {
        var (one, two) = New(rows, first, second);
        try
        {
            return (one, two, New(rows, third));
        }
        catch
        {
            one.Dispose();
            two.Dispose();
            throw;
        }
    }

    private CpuActivation Of(Activation x)
    {
        if (_waiting is { } waiting && ReferenceEquals(waiting.Y, x)) CatchUp();
        return x as CpuActivation
            ?? throw new ArgumentException($"CpuBackend: an activation of type {x.GetType().Name} was given; it computes on its own only. Read the bytes instead.");
    }

    private static T Of<T>(Weight weight, string use) where T : Weight => weight as T
        ?? throw new ArgumentException($"{use}: a weight of type {weight.GetType().Name} was given, {typeof(T).Name} is wanted. Load it with the method for that use.");

    /// <summary>Runs a body over ranges of rows, several at once when there is enough to do.</summary>
    private void ForRows(int rows, int width, Action<int, int> body)
    {
        var rowsPerUnit = (int)Math.Max(1, UnitValues / Math.Max(1, width));
        _team.For((rows + rowsPerUnit - 1) / rowsPerUnit, (unit, _) => body(unit * rowsPerUnit, Math.Min(rows, (unit + 1) * rowsPerUnit)));
    }

    private void RequireLength(int bytes, int rows, int width)
    {
        if (bytes != (long)rows * RowBytes(width)) throw new ArgumentException($"Activation: {bytes} bytes for {rows} rows of {width} values, which take {(long)rows * RowBytes(width)}.");
    }

    private static void RequireRow(int row, int rows)
    {
        if ((uint)row >= (uint)rows) throw new ArgumentOutOfRangeException(nameof(row), $"Activation: row {row} of {rows} rows.");
    }

    private static void Require(string step, string what, int found, int wanted)
    {
        if (found != wanted) throw new ArgumentException($"{step}: {what} is {found}, but must be {wanted}.");
    }
}
