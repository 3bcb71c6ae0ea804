using System.Globalization;

namespace ActorLlama.Cli;

/// <summary>Sizes as a person writes them.</summary>
internal static class ByteSize
{
    private static readonly (string Unit, long Bytes)[] s_units =
    [
        ("KiB", 1L << 10), ("MiB", 1L << 20), ("GiB", 1L << 30), ("TiB", 1L << 40), ("KB", 1000), ("MB", 1000_000), ("GB", 1000_000_000),
        ("TB", 1000_000_000_000), ("B", 1), ("", 1),
    ];

    /// <summary>Bytes of a text like <c>5GiB</c>, <c>500MB</c> or <c>1000</c>; null when it is none, or below 1.</summary>
    public static long? Parse(string text)
    {
        foreach (var (unit, bytes) in s_units)
            if (text.EndsWith(unit, StringComparison.OrdinalIgnoreCase))
                return decimal.TryParse(text[..^unit.Length].Trim(), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number)
                    && number <= long.MaxValue / bytes && number * bytes >= 1
                    ? (long)(number * bytes)
                    : null;
        return null;
    }
}
