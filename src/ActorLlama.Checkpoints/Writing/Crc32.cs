using System.Runtime.InteropServices;

namespace ActorLlama.Checkpoints;

/// <summary>The checksum of zip archives, eight bytes at a time.</summary>
internal static class Crc32
{
    private static readonly uint[][] Tables = MakeTables();

    /// <summary>The checksum of what gave <paramref name="before"/> (0 for nothing), followed by <paramref name="bytes"/>.</summary>
    public static uint Append(uint before, ReadOnlySpan<byte> bytes)
    {
        var crc = ~before;
        var words = MemoryMarshal.Cast<byte, ulong>(bytes);
        foreach (var next in words)
        {
            var word = next ^ crc;
            crc = Tables[7][(byte)word] ^ Tables[6][(byte)(word >> 8)] ^ Tables[5][(byte)(word >> 16)] ^ Tables[4][(byte)(word >> 24)]
                ^ Tables[3][(byte)(word >> 32)] ^ Tables[2][(byte)(word >> 40)] ^ Tables[1][(byte)(word >> 48)] ^ Tables[0][(byte)(word >> 56)];
        }
        foreach (var value in bytes[(words.Length * 8)..]) crc = Tables[0][(byte)(crc ^ value)] ^ (crc >> 8);
        return ~crc;
    }

    private static uint[][] MakeTables()
    {
        const uint polynomial = 0xEDB88320;
        var tables = new uint[8][];
        for (var slice = 0; slice < tables.Length; slice++) tables[slice] = new uint[256];
        for (var value = 0u; value < 256; value++)
        {
            var crc = value;
            for (var bit = 0; bit < 8; bit++) crc = (crc & 1) != 0 ? (crc >> 1) ^ polynomial : crc >> 1;
            tables[0][value] = crc;
        }
        for (var value = 0; value < 256; value++)
            for (var slice = 1; slice < tables.Length; slice++)
                tables[slice][value] = tables[0][(byte)tables[slice - 1][value]] ^ (tables[slice - 1][value] >> 8);
        return tables;
    }
}
