namespace ActorLlama.Kernels;

/// <summary>How the weights of a <see cref="WeightPanels"/> lie.</summary>
public enum PanelFormat : byte
{
    /// <summary>Packed by us: 32 outputs in 16 lanes of 32 bits, output j low and j + 16 high.</summary>
    PackedBf16 = 0,

    /// <summary>bfloat16 outputs side by side.</summary>
    PlainBf16 = 1,

    /// <summary>float32 outputs side by side.</summary>
    Float32 = 2,

    /// <summary>Packed by us: whole numbers of 8 bits, with scales (<see cref="Int8Matrix"/>).</summary>
    Int8 = 3,
}

/// <summary>Copies <paramref name="count"/> elements of a row-major matrix from element <paramref name="first"/> on to memory.</summary>
public delegate void ReadElements(long first, int count, nint to);

/// <summary>
/// Weights of a product y = x·W in groups of 32 outputs: the group of panel p and input k lies at Data + p·PanelStride + k·Stride bytes.
/// A packed matrix and an [in,out] matrix read in place differ in their strides only. Memory is the owner's.
/// </summary>
public readonly unsafe struct WeightPanels(byte* data, PanelFormat format, int outputs, int inputs, long panelStride, long stride, float* scales = null)
{
    public const int Width = 32;

    /// <summary>Raised whenever packed panels (<see cref="Packed"/>) lie otherwise than before: files hold them.</summary>
    public const int FormatVersion = 1;

    public byte* Data { get; } = data;
    public PanelFormat Format { get; } = format;
    public int Outputs { get; } = outputs;
    public int Inputs { get; } = inputs;
    public long PanelStride { get; } = panelStride;
    public long Stride { get; } = stride;

    public int Panels => (Outputs + Width - 1) / Width;

    /// <summary>True when neighbouring k of a panel lie apart.</summary>
    internal bool IsInPlace => Format != PanelFormat.Int8 && Stride != GroupBytes(Format != PanelFormat.Float32);

    /// <summary>Partial sums of so many inputs.</summary>
    internal static int PartsOf(int inputs) => (inputs + Product.PartialInputs - 1) / Product.PartialInputs;

    /// <summary>A matrix of 8 bits and its scales: 32 a panel, for all panels of the first partial sum, then of the second.</summary>
    internal static WeightPanels PackedInt8(nint data, nint scales, int outputs, int inputs) =>
        new((byte*)data, PanelFormat.Int8, outputs, inputs, (long)inputs * Int8.GroupBytes, Int8.GroupBytes, (float*)scales);

    /// <summary>Scales of a panel's 32 outputs in the partial sum that begins with input <paramref name="k"/>; of 8 bits only.</summary>
    internal float* ScalesOf(int panel, int k) => scales + ((long)(k / Product.PartialInputs) * Panels + panel) * Width;

    /// <summary>Bytes of an [outputs, inputs] matrix in packed panels.</summary>
    public static long PackedBytes(bool isBf16, int outputs, int inputs) =>
        (long)((outputs + Width - 1) / Width) * inputs * GroupBytes(isBf16);

    /// <summary>An [outputs, inputs] matrix that lies in packed panels (<see cref="PackedMatrix"/>), outputs beyond the last zero.</summary>
    public static WeightPanels Packed(nint data, bool isBf16, int outputs, int inputs) => new(
        (byte*)data, isBf16 ? PanelFormat.PackedBf16 : PanelFormat.Float32, outputs, inputs, (long)inputs * GroupBytes(isBf16), GroupBytes(isBf16));

    /// <summary>Output and input of an element of packed panels, counted from the first panel's beginning.</summary>
    public (int Output, int Input) PlaceOf(long element)
    {
        var (panel, within) = Math.DivRem(element, (long)Inputs * Width);
        var lane = (int)(within % Width);
        var output = Format == PanelFormat.PackedBf16 ? lane / 2 + lane % 2 * (Width / 2) : lane;
        return ((int)panel * Width + output, (int)(within / Width));
    }

    /// <summary>
    /// Columns [first, first + outputs) of an [inputs, columns] matrix where it lies. <paramref name="outputs"/> must be a multiple of
    /// <see cref="Width"/>: a last narrower group would read beyond the matrix.
    /// </summary>
    public static WeightPanels InPlace(nint matrix, bool isBf16, int inputs, long columns, long first, int outputs)
    {
        if (outputs % Width != 0) throw new ArgumentException($"Weights: {outputs} columns cannot be read in place: not a multiple of {Width}. Pack them.");
        var element = isBf16 ? 2 : 4;
        return new WeightPanels((byte*)matrix + first * element, isBf16 ? PanelFormat.PlainBf16 : PanelFormat.Float32, outputs, inputs, Width * element, columns * element);
    }

    /// <summary>Copies the weights of one output for inputs [first, first + count): part of a row of the [out,in] matrix.</summary>
    public void CopyOutput(int output, int first, int count, nint to)
    {
        var from = Place(output, first);
        if (Format == PanelFormat.Float32)
            for (var k = 0; k < count; k++) ((uint*)to)[k] = *(uint*)(from + k * Stride);
        else
            for (var k = 0; k < count; k++) ((ushort*)to)[k] = *(ushort*)(from + k * Stride);
    }

    /// <summary>Copies the weights of one input for outputs [first, first + count): part of a row of the [in,out] matrix.</summary>
    public void CopyInput(int input, int first, int count, nint to)
    {
        var size = Format == PanelFormat.Float32 ? 4 : 2;
        if (Format != PanelFormat.PackedBf16 && PanelStride == Width * size)
        {
            // Read in place: neighbours lie side by side.
            Buffer.MemoryCopy(Place(first, input), (void*)to, (long)count * size, (long)count * size);
            return;
        }
        for (var n = 0; n < count; n++)
        {
            var from = Place(first + n, input);
            if (size == 4) ((uint*)to)[n] = *(uint*)from;
            else ((ushort*)to)[n] = *(ushort*)from;
        }
    }

    private byte* Place(int output, int input)
    {
        var (panel, within) = Math.DivRem(output, Width);
        var lane = Format == PanelFormat.PackedBf16 ? 2 * (within % (Width / 2)) + within / (Width / 2) : within;
        return Data + panel * PanelStride + input * Stride + lane * (Format == PanelFormat.Float32 ? 4 : 2);
    }

    private static int GroupBytes(bool isBf16) => isBf16 ? PackedBf16.GroupBytes : Float32.GroupBytes;
}
