using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace ActorLlama.Model;

/// <summary>A hash of the position tables: libm differs between hosts, and with it the tables' last bits.</summary>
public static class PositionFingerprint
{
    // Enough to meet every frequency at small and large angles.
    private static readonly int[] s_positions = [0, 1, 2, 3, 63, 64, 1023, 8191, 8192, 65537, 262143, 1048575, 10485759];

    /// <summary>16 hex digits over frequencies, and cosine, sine and temperature at a fixed list of positions.</summary>
    public static string Of(LlamaConfig config)
    {
        var table = new RotaryAngles(config);
        var pairs = config.HeadDim / 2;
        var values = new List<float>(table.Frequencies.ToArray());
        Span<float> cos = new float[pairs], sin = new float[pairs];
        foreach (var position in s_positions)
        {
            table.Fill(position, cos, sin);
            values.AddRange(cos);
            values.AddRange(sin);
            values.Add(AttentionTemperature.At(config, position));
        }
        return Convert.ToHexStringLower(SHA256.HashData(MemoryMarshal.AsBytes(CollectionsMarshal.AsSpan(values))).AsSpan(0, 8));
    }
}
