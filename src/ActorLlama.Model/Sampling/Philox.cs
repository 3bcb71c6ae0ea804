namespace ActorLlama.Model;

/// <summary>
/// The counter-based generator Philox4x32-10 (Salmon et al., 2011): what it gives for a counter depends on key and counter alone, so
/// token t of a session is the same whatever was drawn before.
/// </summary>
public static class Philox
{
    private const int Rounds = 10;

    /// <summary>Four 32-bit words for a counter of four words and a key of two.</summary>
    public static (uint, uint, uint, uint) Words((uint, uint, uint, uint) counter, (uint, uint) key)
    {
        var ((c0, c1, c2, c3), (k0, k1)) = (counter, key);
        for (var round = 0; round < Rounds; round++)
        {
            var (first, second) = (0xD2511F53ul * c0, 0xCD9E8D57ul * c2);
            (c0, c1, c2, c3) = ((uint)(second >> 32) ^ c1 ^ k0, (uint)second, (uint)(first >> 32) ^ c3 ^ k1, (uint)first);
            (k0, k1) = (k0 + 0x9E3779B9u, k1 + 0xBB67AE85u);
        }
        return (c0, c1, c2, c3);
    }

    /// <summary>
    /// The uniform number in [0, 1) of 53 bits for choice number <paramref name="choice"/> at an absolute position. Key: the seed, low word
    /// first. Counter: position (low, high), choice, 0. Bits: the upper 27 of word 0, then the upper 26 of word 1.
    /// </summary>
    public static double Uniform(ulong seed, uint choice, long position)
    {
        var (high, low, _, _) = Words(((uint)position, (uint)((ulong)position >> 32), choice, 0), ((uint)seed, (uint)(seed >> 32)));
        return (((ulong)(high >> 5) << 26) | (low >> 6)) * (1.0 / (1ul << 53));
    }
}
