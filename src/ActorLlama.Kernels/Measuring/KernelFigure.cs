namespace ActorLlama.Kernels;

/// <summary>How long a kernel took for some rows, and what it had to read and compute for them.</summary>
/// <param name="Kernel">Its name.</param>
/// <param name="Rows">Rows of one call.</param>
/// <param name="Seconds">Of one call.</param>
/// <param name="Bytes">Weights or cache read by one call, each once.</param>
/// <param name="Operations">Multiplications and additions of one call.</param>
public sealed record KernelFigure(string Kernel, int Rows, double Seconds, double Bytes, double Operations)
{
    public double GigabytesPerSecond => Bytes / Seconds / 1e9;

    public double GigaflopsPerSecond => Operations / Seconds / 1e9;

    /// <summary>What is reached of the limit that comes first for so many bytes and operations.</summary>
    public double ShareOf(MachineLimits limits) => Math.Max(GigabytesPerSecond / limits.GigabytesPerSecond, GigaflopsPerSecond / limits.GigaflopsPerSecond);
}
