using System.Runtime.Intrinsics;

namespace ActorLlama.Kernels;

/// <summary>
/// y = x·W for some rows, in the canonical order of summation: each output is one float32 chain of fused multiply-adds over ascending k,
/// begun anew every 512, these partial sums added in order. Rows are XStride and YStride floats apart. With Round, y is rounded to
/// bfloat16 once at the end.
/// </summary>
public readonly unsafe struct Product(WeightPanels weights, float* x, long xStride, int rows, float* y, long yStride, bool round)
{
    /// <summary>Values of k in one partial sum.</summary>
    public const int PartialInputs = 512;

    // Rows that go over a panel before the next panel: bounds scratch memory and keeps their part of x in the second-level cache.
    private const int ChunkRows = 48;
    private const int CopiedPanels = 8;

    // Of an [in,out] matrix in place: with more rows than these, copying it panel by panel costs less than sums in memory.
    private const int StripRows = 12;

    private const int WidenedAt = 1 << 16;

    // Multiply-adds: some 100 µs, a hundred times what it takes to claim a unit.
    private const long WorkOfUnit = 1 << 22;

    // Of 8 bits: from so many rows on, making float32 of a panel once costs less than in each tile. With vectors of 512 bits a tile does most of it beside its multiply-adds.
    private static int WidenedRows => Vector512.IsHardwareAccelerated ? 24 : 7;

    public WeightPanels Weights { get; } = weights;
    public int Rows { get; } = rows;

    /// <summary>Multiply-adds.</summary>
    internal long Work => (long)Rows * Weights.Inputs * Weights.Outputs;

    /// <summary>Runs several products, splitting outputs over the team.</summary>
    public static void Run(ThreadTeam team, params Product[] products)
    {
        var strip = StripPanels(
            products.Sum(p => (long)p.Weights.Panels), team.Threads, products.Any(p => p.Weights.IsInPlace), products.Max(p => (long)p.Rows * p.Weights.Inputs));
        var units = products.Sum(p => UnitsOf(p.Weights.Panels, strip));
        team.For(units, (unit, thread) =>
        {
            var i = 0;
            for (; unit >= UnitsOf(products[i].Weights.Panels, strip); i++) unit -= UnitsOf(products[i].Weights.Panels, strip);
            products[i].RunPanels(unit * strip, Math.Min(products[i].Weights.Panels, (unit + 1) * strip), team.Scratch(thread));
        }, products.Sum(p => p.Work));
    }

    /// <summary>
    /// Panels of one unit of work: wide enough to stream, narrow enough that every thread gets several, and no more work than need be where there are many rows, for at its end
    /// each job waits for whoever has the last unit. Strips of a matrix in place are a page wide where that leaves one for every thread: a new k is a new page.
    /// </summary>
    /// <param name="panels">Of all matrices.</param>
    /// <param name="threads">Of the team.</param>
    /// <param name="inPlace">Whether neighbouring k of a panel lie apart.</param>
    /// <param name="inputs">Of all rows together: multiply-adds of one output.</param>
    internal static int StripPanels(long panels, int threads, bool inPlace, long inputs)
    {
        var (least, most) = inPlace
            ? (Math.Clamp(panels / threads, 2, 32), 32L)
            : (2L, Math.Clamp(WorkOfUnit / Math.Max(1, inputs * WeightPanels.Width), 2, 32));
        return (int)Math.Clamp(panels / (threads * 6L), least, most) & ~1;
    }

    internal static int UnitsOf(int panels, int strip) => (panels + strip - 1) / strip;

    /// <summary>
    /// Computes the outputs of panels [first, end). Meanwhile the beginning of what the thread reads after them is fetched from <paramref name="next"/>, if that is known:
    /// a guess would cost the memory's time twice where another thread reads it.
    /// </summary>
    internal void RunPanels(int first, int end, byte* scratch, byte* next = null)
    {
        switch (Weights.Format)
        {
            case PanelFormat.PackedBf16: RunPanels<PackedBf16>(first, end, scratch, next); break;
            case PanelFormat.PlainBf16: RunPanels<PlainBf16>(first, end, scratch, next); break;
            case PanelFormat.Float32: RunPanels<Float32>(first, end, scratch, next); break;
            case PanelFormat.Int8: RunPanels<Int8>(first, end, scratch, next); break;
            default: throw new InvalidOperationException($"Product: unknown panel format {(int)Weights.Format}.");
        }
    }

    private void RunPanels<TFormat>(int first, int end, byte* scratch, byte* next) where TFormat : struct, IPanelFormat
    {
        for (var row = 0; row < Rows; row += ChunkRows)
        {
            var count = Math.Min(ChunkRows, Rows - row);
            // Other rows go over the same panels again.
            var after = row + count < Rows ? Weights.Data + first * Weights.PanelStride : next;
            var from = x + row * xStride;
            var to = y + row * yStride;
            if (Weights.Inputs == 0) Clear(to, count, first, end);
            else if (Weights.Format == PanelFormat.Int8) RunScaled(from, to, count, first, end, (float*)scratch, after);
            else if (!Weights.IsInPlace) RunPacked<TFormat>(from, to, count, first, end, (float*)scratch, after);
            else if (count <= StripRows) RunStrip<TFormat>(from, to, count, first, end, (float*)scratch);
            else RunCopied<TFormat>(from, to, count, first, end, scratch);
            if (round) RoundOutputs(to, count, first, end);
        }
    }

    private void RunPacked<TFormat>(float* from, float* to, int rows, int first, int end, float* scratch, byte* after) where TFormat : struct, IPanelFormat
    {
        var w = Weights;
        var whole = w.Outputs / WeightPanels.Width;
        var panel = first;
        if (rows == 1)
            for (; panel + 2 <= Math.Min(end, whole); panel += 2)
                for (var k = 0; k < w.Inputs; k += PartialInputs)
                {
                    var data = w.Data + panel * w.PanelStride + k * w.Stride;
                    var outputs = to + panel * WeightPanels.Width;
                    PanelTile<TFormat>.RunTwoPanels(from + k, data, data + w.PanelStride, w.Stride, Math.Min(PartialInputs, w.Inputs - k), outputs, outputs + WeightPanels.Width, k > 0);
                }
        for (; panel < end; panel++)
        {
            // The last panel may be wider than what is left of y: sum it aside.
            var outputs = panel < whole ? to + (long)panel * WeightPanels.Width : scratch;
            var stride = panel < whole ? yStride : WeightPanels.Width;
            for (var k = 0; k < w.Inputs; k += PartialInputs)
            {
                var data = w.Data + panel * w.PanelStride + k * w.Stride;
                var inputs = Math.Min(PartialInputs, w.Inputs - k);
                PanelTile<TFormat>.Run(from + k, xStride, rows, data, w.Stride, inputs, outputs, stride, k > 0, Ahead(data, panel, k, inputs, end, after));
            }
            if (panel < whole) continue;
            for (var r = 0; r < rows; r++)
                for (var n = panel * WeightPanels.Width; n < w.Outputs; n++) to[r * yStride + n] = scratch[r * WeightPanels.Width + n - panel * WeightPanels.Width];
        }
    }

    /// <summary>What comes after these inputs, of this panel or the next, lies right behind them.</summary>
    private byte* Ahead(byte* data, int panel, int k, int inputs, int end, byte* after) => panel + 1 == end && k + inputs == Weights.Inputs ? after : data + inputs * Weights.Stride;

    /// <summary>Weights of 8 bits: partial sums of whole numbers aside, then each times its scale to the outputs.</summary>
    private void RunScaled(float* from, float* to, int rows, int first, int end, float* sums, byte* after)
    {
        var w = Weights;
        var widened = (byte*)sums + WidenedAt;
        for (int panel = first, panels; panel < end; panel += panels)
        {
            panels = rows == 1 && panel + 2 <= end ? 2 : 1;
            for (var k = 0; k < w.Inputs; k += PartialInputs)
            {
                var data = w.Data + panel * w.PanelStride + k * w.Stride;
                var inputs = Math.Min(PartialInputs, w.Inputs - k);
                var ahead = Ahead(data, panel, k, inputs, end, after);
                if (panels == 2) PanelTile<Int8>.RunTwoPanels(from + k, data, data + w.PanelStride, w.Stride, inputs, sums, sums + WeightPanels.Width, add: false);
                else if (rows >= WidenedRows)
                {
                    Int8Matrix.Widen<Int8>(data, w.Stride, inputs, (float*)widened, ahead == null ? data : ahead);
                    PanelTile<Float32>.Run(from + k, xStride, rows, widened, Float32.GroupBytes, inputs, sums, WeightPanels.Width, add: false);
                }
                else PanelTile<Int8>.Run(from + k, xStride, rows, data, w.Stride, inputs, sums, WeightPanels.Width, add: false, ahead);
                for (var p = 0; p < panels; p++)
                {
                    var start = (panel + p) * WeightPanels.Width;
                    for (var r = 0; r < rows; r++)
                        RowMath.MultiplyAdd(sums + (r + p) * WeightPanels.Width, w.ScalesOf(panel + p, k), Math.Min(WeightPanels.Width, w.Outputs - start), to + r * yStride + start, k > 0);
                }
            }
        }
    }

    private void RunStrip<TFormat>(float* from, float* to, int rows, int first, int end, float* sums) where TFormat : struct, IPanelFormat
    {
        var w = Weights;
        for (var k = 0; k < w.Inputs; k += PartialInputs)
        {
            var data = w.Data + first * w.PanelStride + k * w.Stride;
            var inputs = Math.Min(PartialInputs, w.Inputs - k);
            var outputs = to + (long)first * WeightPanels.Width;
            if (rows == 1) StripTile<TFormat>.Run(from + k, data, w.Stride, end - first, inputs, sums, outputs, k > 0);
            else StripTile<TFormat>.Run(from + k, xStride, rows, data, w.Stride, end - first, inputs, sums, outputs, yStride, k > 0);
        }
    }

    /// <summary>Many rows over a matrix read in place: blocks of it are copied to scratch, where the tiles can go down a panel.</summary>
    private void RunCopied<TFormat>(float* from, float* to, int rows, int first, int end, byte* scratch) where TFormat : struct, IPanelFormat
    {
        var w = Weights;
        for (var panel = first; panel < end; panel += CopiedPanels)
        {
            var panels = Math.Min(CopiedPanels, end - panel);
            for (var k = 0; k < w.Inputs; k += PartialInputs)
            {
                var inputs = Math.Min(PartialInputs, w.Inputs - k);
                StripTile.Copy(w.Data + panel * w.PanelStride + k * w.Stride, w.PanelStride, w.Stride, panels, inputs, TFormat.GroupBytes, scratch, isLasting: false);
                for (var p = 0; p < panels; p++)
                    PanelTile<TFormat>.Run(from + k, xStride, rows, scratch + (long)p * inputs * TFormat.GroupBytes, TFormat.GroupBytes, inputs, to + (long)(panel + p) * WeightPanels.Width, yStride, k > 0);
            }
        }
    }

    private void RoundOutputs(float* to, int rows, int first, int end)
    {
        var (start, stop) = (first * WeightPanels.Width, Math.Min(end * WeightPanels.Width, Weights.Outputs));
        for (var r = 0; r < rows; r++) Bf16.Round(to + r * yStride + start, stop - start);
    }

    private void Clear(float* to, int rows, int first, int end)
    {
        var (start, stop) = (first * WeightPanels.Width, Math.Min(end * WeightPanels.Width, Weights.Outputs));
        for (var r = 0; r < rows; r++) new Span<float>(to + r * yStride + start, stop - start).Clear();
    }
}
