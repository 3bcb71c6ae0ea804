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
    private const int ChunkRows = 120;
    private const int CopiedPanels = 8;

    public WeightPanels Weights { get; } = weights;
    public int Rows { get; } = rows;

    /// <summary>Multiply-adds.</summary>
    internal long Work => (long)Rows * Weights.Inputs * Weights.Outputs;

    /// <summary>Runs several products, splitting outputs over the team.</summary>
    public static void Run(ThreadTeam team, params Product[] products)
    {
        var strip = StripPanels(products.Sum(p => (long)p.Weights.Panels), team.Threads);
        var units = products.Sum(p => UnitsOf(p.Weights.Panels, strip));
        team.For(units, (unit, thread) =>
        {
            var i = 0;
            for (; unit >= UnitsOf(products[i].Weights.Panels, strip); i++) unit -= UnitsOf(products[i].Weights.Panels, strip);
            products[i].RunPanels(unit * strip, Math.Min(products[i].Weights.Panels, (unit + 1) * strip), team.Scratch(thread));
        }, products.Sum(p => p.Work));
    }

    /// <summary>Panels of one unit of work: wide enough to stream, narrow enough that every thread gets several.</summary>
    internal static int StripPanels(long panels, int threads) => (int)Math.Clamp(panels / (threads * 6L), 2, 32) & ~1;

    internal static int UnitsOf(int panels, int strip) => (panels + strip - 1) / strip;

    /// <summary>Computes the outputs of panels [first, end).</summary>
    internal void RunPanels(int first, int end, byte* scratch)
    {
        switch (Weights.Format)
        {
            case PanelFormat.PackedBf16: RunPanels<PackedBf16>(first, end, scratch); break;
            case PanelFormat.PlainBf16: RunPanels<PlainBf16>(first, end, scratch); break;
            case PanelFormat.Float32: RunPanels<Float32>(first, end, scratch); break;
            default: throw new InvalidOperationException($"Product: unknown panel format {(int)Weights.Format}.");
        }
    }

    private void RunPanels<TFormat>(int first, int end, byte* scratch) where TFormat : struct, IPanelFormat
    {
        var inPlace = Weights.Stride != TFormat.GroupBytes;
        for (var row = 0; row < Rows; row += ChunkRows)
        {
            var count = Math.Min(ChunkRows, Rows - row);
            var from = x + row * xStride;
            var to = y + row * yStride;
            if (Weights.Inputs == 0) Clear(to, count, first, end);
            else if (!inPlace) RunPacked<TFormat>(from, to, count, first, end, (float*)scratch);
            else if (count <= 2)
                for (var r = 0; r < count; r++) RunStrip<TFormat>(from + r * xStride, to + r * yStride, first, end, (float*)scratch);
            else RunCopied<TFormat>(from, to, count, first, end, scratch);
            if (round) RoundOutputs(to, count, first, end);
        }
    }

    private void RunPacked<TFormat>(float* from, float* to, int rows, int first, int end, float* scratch) where TFormat : struct, IPanelFormat
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
                    PanelTile<TFormat>.OneByTwo(from + k, data, data + w.PanelStride, w.Stride, Math.Min(PartialInputs, w.Inputs - k), outputs, outputs + WeightPanels.Width, k > 0);
                }
        for (; panel < end; panel++)
        {
            // The last panel may be wider than what is left of y: sum it aside.
            var outputs = panel < whole ? to + (long)panel * WeightPanels.Width : scratch;
            var stride = panel < whole ? yStride : WeightPanels.Width;
            for (var k = 0; k < w.Inputs; k += PartialInputs)
                PanelTile<TFormat>.Run(from + k, xStride, rows, w.Data + panel * w.PanelStride + k * w.Stride, w.Stride, Math.Min(PartialInputs, w.Inputs - k), outputs, stride, k > 0);
            if (panel < whole) continue;
            for (var r = 0; r < rows; r++)
                for (var n = panel * WeightPanels.Width; n < w.Outputs; n++) to[r * yStride + n] = scratch[r * WeightPanels.Width + n - panel * WeightPanels.Width];
        }
    }

    private void RunStrip<TFormat>(float* from, float* to, int first, int end, float* sums) where TFormat : struct, IPanelFormat
    {
        for (var k = 0; k < Weights.Inputs; k += PartialInputs)
            StripTile<TFormat>.Run(from + k, Weights.Data + first * Weights.PanelStride + k * Weights.Stride, Weights.Stride, end - first,
                Math.Min(PartialInputs, Weights.Inputs - k), sums, to + (long)first * WeightPanels.Width, k > 0);
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
                StripTile<TFormat>.Copy(w.Data + panel * w.PanelStride + k * w.Stride, w.Stride, panels, inputs, scratch);
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
