namespace ActorLlama.Planning.Placement;

/// <summary>Byte counts as people read them.</summary>
public static class ByteText
{
    private const double KiB = 1024;
    private const double MiB = 1024 * KiB;
    private const double GiB = 1024 * MiB;

    /// <summary>"1.5 GiB", "20.0 MiB", "12 bytes".</summary>
    public static string Of(long bytes) => Math.Abs((double)bytes) switch
    {
        >= GiB => $"{bytes / GiB:F1} GiB",
        >= MiB => $"{bytes / MiB:F1} MiB",
        >= KiB => $"{bytes / KiB:F1} KiB",
        _ => $"{bytes} bytes",
    };
}
