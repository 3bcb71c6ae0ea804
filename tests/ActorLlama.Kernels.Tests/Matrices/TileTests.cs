namespace ActorLlama.Kernels.Tests;

/// <summary>Every tile by itself: which of them a product uses depends on the host's registers, and all of them must agree.</summary>
public sealed unsafe class TileTests
{
    private const int Inputs = 301, Rows = 9;

    [Fact]
    public void Every_tile_of_every_format_gives_the_bits_of_the_canonical_order()
    {
        Check<PackedBf16>(isBf16: true, packed: true);
        Check<PlainBf16>(isBf16: true, packed: false);
        Check<Float32>(isBf16: false, packed: false);
    }

    private static void Check<TFormat>(bool isBf16, bool packed) where TFormat : struct, IPanelFormat
    {
        var w = Samples.Bf16Floats(1, 32 * Inputs);
        var x = Samples.Floats(2, Rows * Inputs);
        var once = Samples.CanonicalProduct(x, Rows, w, 32, Inputs);
        var twice = Array.ConvertAll(once, v => v + v);
        var panel = Panel(w, isBf16, packed);
        var sums = stackalloc float[Rows * 32];
        fixed (float* px = x)
        fixed (byte* pp = panel)
        {
            long stride = TFormat.GroupBytes;
            for (var rows = 1; rows <= Rows; rows++)
            {
                var y = new float[Rows * 32];
                fixed (float* py = y)
                {
                    PanelTile<TFormat>.Run(px, Inputs, rows, pp, stride, Inputs, py, 32, add: false);
                    Samples.AssertSameBits(once[..(rows * 32)], y[..(rows * 32)]);
                    PanelTile<TFormat>.Run(px, Inputs, rows, pp, stride, Inputs, py, 32, add: true);
                    Samples.AssertSameBits(twice[..(rows * 32)], y[..(rows * 32)]);
                    Assert.All(y[(rows * 32)..], v => Assert.Equal(0f, v));
                }
            }
            foreach (var add in new[] { false, true })
            {
                var expected = add ? twice : once;
                float[] two = [.. once], halves = [.. once], strip = [.. once];
                fixed (float* p2 = two, ph = halves, ps = strip)
                {
                    WholePanelTile<TFormat>.OneByTwo(px, pp, pp, stride, Inputs, p2, p2 + 32, add);
                    HalfPanelTile<TFormat, WholeSums>.OneByTwo(px, pp, pp, stride, Inputs, ph, ph + 32, add);
                    StripTile<TFormat>.Run(px, pp, stride, 1, Inputs, sums, ps, add);
                }
                Samples.AssertSameBits(expected[..32], two[..32]);
                Samples.AssertSameBits(expected[..32], halves[..32]);
                if (!add) Samples.AssertSameBits([.. once[..32], .. once[..32]], [.. two[32..64], .. halves[32..64]]);
                Samples.AssertSameBits(expected[..32], strip[..32]);
                for (var rows = 1; rows <= Rows; rows++)
                {
                    float[] wide = [.. once], half = [.. once], several = [.. once];
                    fixed (float* pw = wide, ph = half, ps = several)
                    {
                        WholePanelTile<TFormat>.Run(px, Inputs, rows, pp, stride, Inputs, pw, 32, add);
                        HalfPanelTile<TFormat, WholeSums>.Run(px, Inputs, rows, pp, stride, Inputs, ph, 32, add);
                        StripTile<TFormat>.Run(px, Inputs, rows, pp, stride, 1, Inputs, sums, ps, 32, add);
                    }
                    Samples.AssertSameBits([.. expected[..(rows * 32)], .. once[(rows * 32)..]], wide);
                    Samples.AssertSameBits([.. expected[..(rows * 32)], .. once[(rows * 32)..]], half);
                    Samples.AssertSameBits([.. expected[..(rows * 32)], .. once[(rows * 32)..]], several);
                }
            }
        }
    }

    private static byte[] Panel(float[] w, bool isBf16, bool packed)
    {
        if (!packed) return Samples.Stored(Samples.Transpose(w, 32, Inputs), isBf16);
        using var team = new ThreadTeam(1);
        fixed (byte* stored = Samples.Stored(w, isBf16))
        {
            using var matrix = PackedMatrix.Pack((nint)stored, isBf16, 32, Inputs, Inputs, 1, team);
            return new Span<byte>(matrix.Panels.Data, (int)matrix.Bytes).ToArray();
        }
    }
}
