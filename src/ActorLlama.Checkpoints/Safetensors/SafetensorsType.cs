using System.Collections.Frozen;
using ActorLlama.Model;

namespace ActorLlama.Checkpoints;

/// <summary>The element types of the safetensors format by the format's own spelling, and their sizes in bits.</summary>
internal static class SafetensorsType
{
    public const string BF16 = "BF16";
    public const string F16 = "F16";
    public const string F32 = "F32";
    public const string F64 = "F64";
    public const string I64 = "I64";

    private static readonly FrozenDictionary<string, int> BitsByName = new Dictionary<string, int>
    {
        ["F4"] = 4,
        ["F6_E2M3"] = 6,
        ["F6_E3M2"] = 6,
        ["BOOL"] = 8,
        ["U8"] = 8,
        ["I8"] = 8,
        ["F8_E5M2"] = 8,
        ["F8_E4M3"] = 8,
        ["F8_E8M0"] = 8,
        ["I16"] = 16,
        ["U16"] = 16,
        [F16] = 16,
        [BF16] = 16,
        ["I32"] = 32,
        ["U32"] = 32,
        [F32] = 32,
        [I64] = 64,
        ["U64"] = 64,
        [F64] = 64,
        ["C64"] = 64,
    }.ToFrozenDictionary();

    /// <summary>The spelling of a weight's type.</summary>
    public static string Of(ElementType type) => type == ElementType.Float32 ? F32 : BF16;

    public static bool TryGetBits(string name, out int bits) => BitsByName.TryGetValue(name, out bits);

    /// <summary>Bytes of <paramref name="elements"/> elements; null when they are no whole number of bytes. Throws on overflow.</summary>
    public static long? BytesOf(long elements, int bits)
    {
        if (bits % 8 == 0) return checked(elements * (bits / 8));
        var total = checked(elements * bits);
        return total % 8 == 0 ? total / 8 : null;
    }
}
