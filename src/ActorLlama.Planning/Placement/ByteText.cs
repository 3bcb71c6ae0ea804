using System.Globalization;

namespace ActorLlama.Planning.Placement;

/// <summary>Byte counts as people read and write them.</summary>
public static class ByteText
{
    private const double KiB = 1024;
    private const double MiB = 1024 * KiB;
    private const double GiB = 1024 * MiB;

    // Longer names first: "MiB" also ends with "B".
    private static readonly (string Unit, long Bytes)[] Units =
    [
        ("KiB", 1L << 10), ("MiB", 1L << 20), ("GiB", 1L << 30), ("TiB", 1L << 40),
        ("KB", 1000), ("MB", 1000_000), ("GB", 1000_000_000), ("TB", 1000_000_000_000),
        ("K", 1L << 10), ("M", 1L << 20), ("G", 1L << 30), ("T", 1L << 40), ("B", 1), ("", 1),
    ];

    /// <summary>"1.5 GiB", "20.0 MiB", "12 bytes".</summary>
    public static string Of(long bytes) => Math.Abs((double)bytes) switch
    {
        >= GiB => $"{bytes / GiB:F1} GiB",
        >= MiB => $"{bytes / MiB:F1} MiB",
        >= KiB => $"{bytes / KiB:F1} KiB",
        _ => $"{bytes} bytes",
    };

    /// <summary>Bytes of a text like "5GiB", "500 MB", "512k" (1024) or "1000"; null when it is none, or below 1. Case does not matter.</summary>
    public static long? Parse(string text)
    {
        foreach (var (unit, bytes) in Units)
            if (text.EndsWith(unit, StringComparison.OrdinalIgnoreCase))
                return decimal.TryParse(text.AsSpan(0, text.Length - unit.Length).Trim(), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number)
                    && number <= long.MaxValue / bytes && number * bytes >= 1
                    ? (long)(number * bytes)
                    : null;
        return null;
    }
}
