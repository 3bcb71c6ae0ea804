namespace ActorLlama.Kernels.Tests;

public sealed unsafe class GatedFfnTests
{
    private const int Width = 48, Hidden = 70, Rows = 6;

    [Fact]
    public void A_group_computes_down_of_silu_gate_times_up()
    {
        var (x, wg, wu, wd) = Inputs();
        var gate = Samples.ExactProduct(x, Rows, wg, Hidden, Width);
        var up = Samples.ExactProduct(x, Rows, wu, Hidden, Width);
        var act = gate.Zip(up, (g, u) => (float)(g / (1 + Math.Exp(-g)) * u)).ToArray();
        Samples.AssertClose(Samples.ExactProduct(act, Rows, wd, Width, Hidden), Run(x, wg, wu, wd, [(0, Rows)], round: false), 1e-4);
    }

    [Fact]
    public void Rows_in_groups_of_their_own_give_the_bits_of_one_group()
    {
        var (x, wg, wu, wd) = Inputs();
        Samples.AssertSameBits(Run(x, wg, wu, wd, [(0, Rows)], round: false), Run(x, wg, wu, wd, [(0, 1), (1, 2), (3, 3)], round: false));
    }

    [Fact]
    public void With_rounding_every_step_is_rounded()
    {
        var (x, wg, wu, wd) = Inputs();
        x = Array.ConvertAll(x, Bf16.Round);
        var gate = Array.ConvertAll(Samples.CanonicalProduct(x, Rows, wg, Hidden, Width), Bf16.Round);
        var up = Array.ConvertAll(Samples.CanonicalProduct(x, Rows, wu, Hidden, Width), Bf16.Round);
        var act = gate.Zip(up, (g, u) => Bf16.Round(Bf16.Round(g * RowMath.Sigmoid(g)) * u)).ToArray();
        var expected = Array.ConvertAll(Samples.CanonicalProduct(act, Rows, wd, Width, Hidden), Bf16.Round);
        Samples.AssertSameBits(expected, Run(x, wg, wu, wd, [(0, Rows)], round: true));
    }

    private static (float[] X, float[] Gate, float[] Up, float[] Down) Inputs() =>
        (Samples.Floats(1, Rows * Width), Samples.Bf16Floats(2, Hidden * Width), Samples.Bf16Floats(3, Hidden * Width), Samples.Bf16Floats(4, Width * Hidden));

    private static float[] Run(float[] x, float[] wg, float[] wu, float[] wd, (int First, int Rows)[] groups, bool round)
    {
        using var team = new ThreadTeam(2);
        float[] gate = new float[Rows * Hidden], up = new float[Rows * Hidden], y = new float[Rows * Width];
        fixed (byte* pg = Samples.Stored(wg, true), pu = Samples.Stored(wu, true), pd = Samples.Stored(wd, true))
        fixed (float* px = x, ag = gate, au = up, py = y)
        {
            using var g = PackedMatrix.Pack((nint)pg, true, Hidden, Width, Width, 1, team);
            using var u = PackedMatrix.Pack((nint)pu, true, Hidden, Width, Width, 1, team);
            using var d = PackedMatrix.Pack((nint)pd, true, Width, Hidden, Hidden, 1, team);
            GatedFfn.Run(team, [.. groups.Select(i => new FfnGroup(g.Panels, u.Panels, d.Panels, i.First, i.Rows))], px, ag, au, py, round);
        }
        return y;
    }
}
