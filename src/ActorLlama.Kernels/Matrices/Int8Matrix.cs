using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace ActorLlama.Kernels;

/// <summary>
/// A matrix in 8 bits in memory of its own: each weight is a whole number from -127 to 127 times a scale, which the weights of one output for the inputs of one
/// partial sum (512) share. Depends on the weights alone.
/// </summary>
public sealed unsafe class Int8Matrix : IDisposable
{
    private const int Most = 127;
    private readonly MappedMemory _memory;

    private Int8Matrix(MappedMemory memory, long bytes, WeightPanels panels)
    {
        _memory = memory;
        Bytes = bytes;
        Panels = panels;
    }

    public WeightPanels Panels { get; }

    /// <summary>Bytes of memory held, scales included.</summary>
    public long Bytes { get; }

    /// <summary>Rounds a matrix, which is only read.</summary>
    public static Int8Matrix Pack(WeightPanels from, ThreadTeam team)
    {
        var weights = (long)from.Panels * from.Inputs * Int8.GroupBytes;
        var scales = (long)WeightPanels.PartsOf(from.Inputs) * from.Panels * WeightPanels.Width * sizeof(float);
        var memory = new MappedMemory(weights + scales);
        var panels = WeightPanels.PackedInt8(memory.Address, memory.Address + (nint)weights, from.Outputs, from.Inputs);
        team.For(from.Panels, (panel, thread) => PackPanel(from, panels, panel, (float*)team.Scratch(thread)));
        return new Int8Matrix(memory, weights + scales, panels);
    }

    public void Dispose() => _memory.Dispose();

    private static void PackPanel(WeightPanels from, WeightPanels to, int panel, float* scratch)
    {
        for (var k = 0; k < from.Inputs; k += Product.PartialInputs)
        {
            var (source, target, count) = ((nint)(from.Data + panel * from.PanelStride + k * from.Stride), (nint)(to.Data + panel * to.PanelStride + k * to.Stride), Math.Min(Product.PartialInputs, from.Inputs - k));
            switch (from.Format)
            {
                case PanelFormat.PackedBf16: Widen<PackedBf16>((byte*)source, from.Stride, count, scratch, (byte*)source); break;
                case PanelFormat.PlainBf16: Widen<PlainBf16>((byte*)source, from.Stride, count, scratch, (byte*)source); break;
                case PanelFormat.Float32: Widen<Float32>((byte*)source, from.Stride, count, scratch, (byte*)source); break;
                default: throw new InvalidOperationException($"Weights: panels of format {(int)from.Format} are not rounded to 8 bits.");
            }
            Round(scratch, count, (byte*)target, to.ScalesOf(panel, k));
        }
    }

    /// <summary>The 32 outputs of each k in order, as float32; fetches what lies at <paramref name="ahead"/> meanwhile.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static void Widen<TFormat>(byte* group, long stride, int count, float* to, byte* ahead) where TFormat : struct, IPanelFormat
    {
        for (var i = 0; i < count; i++, group += stride, ahead += stride, to += WeightPanels.Width)
        {
            if (Sse.IsSupported) Sse.Prefetch1(ahead);
            for (var half = 0; half < 2; half++)
            {
                TFormat.LoadHalf(group, half, out var low, out var high);
                TFormat.StoreHalf(to, half, low, high, add: false);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Round(float* from, int count, byte* to, float* scales)
    {
        Vector512<float> first = default, second = default;
        for (var i = 0; i < count; i++)
        {
            // Max hands NaN on: its weights become zeros with a scale that is none.
            first = Vector512.Max(first, Vector512.Abs(Vector512.Load(from + i * WeightPanels.Width)));
            second = Vector512.Max(second, Vector512.Abs(Vector512.Load(from + i * WeightPanels.Width + 16)));
        }
        var most = Vector512.Create((float)Most);
        (first / most).Store(scales);
        (second / most).Store(scales + 16);
        // An output of zeros only has no largest one to divide by.
        var (a, b) = (Inverse(first, most), Inverse(second, most));
        for (var i = 0; i < count; i++)
            Int8.Pack(Vector512.Load(from + i * WeightPanels.Width) * a, Vector512.Load(from + i * WeightPanels.Width + 16) * b, to + i * Int8.GroupBytes);
    }

    private static Vector512<float> Inverse(Vector512<float> largest, Vector512<float> most) =>
        Vector512.ConditionalSelect(Vector512.Equals(largest, Vector512<float>.Zero), Vector512<float>.Zero, most / largest);
}
