using System.Runtime.InteropServices;

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

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Two_jobs_at_once_give_the_bits_that_each_gives_alone(int threads)
    {
        const int otherHidden = 1030, otherRows = 9;
        var (x, wg, wu, wd) = Inputs();
        var (x2, wg2, wu2, wd2) = (Samples.Floats(5, otherRows * Width), Samples.Bf16Floats(6, otherHidden * Width), Samples.Bf16Floats(7, otherHidden * Width), Samples.Bf16Floats(8, Width * otherHidden));
        using var team = new ThreadTeam(threads);
        using var first = new Ffn(team, x, wg, wu, wd, Rows, Hidden);
        using var second = new Ffn(team, x2, wg2, wu2, wd2, otherRows, otherHidden);
        GatedFfn.Run(team, first.Job([(0, 1), (1, 2), (3, 3)], round: false));
        GatedFfn.Run(team, second.Job([(0, otherRows)], round: true));
        var (one, other) = (first.TakeY(), second.TakeY());
        Assert.DoesNotContain(0f, one.Concat(other));
        GatedFfn.Run(team, first.Job([(0, 1), (1, 2), (3, 3)], round: false), second.Job([(0, otherRows)], round: true));
        Samples.AssertSameBits(one, first.TakeY());
        Samples.AssertSameBits(other, second.TakeY());
    }

    private static (float[] X, float[] Gate, float[] Up, float[] Down) Inputs() =>
        (Samples.Floats(1, Rows * Width), Samples.Bf16Floats(2, Hidden * Width), Samples.Bf16Floats(3, Hidden * Width), Samples.Bf16Floats(4, Width * Hidden));

    private static float[] Run(float[] x, float[] wg, float[] wu, float[] wd, (int First, int Rows)[] groups, bool round)
    {
        using var team = new ThreadTeam(2);
        using var ffn = new Ffn(team, x, wg, wu, wd, Rows, Hidden);
        GatedFfn.Run(team, ffn.Job(groups, round));
        return ffn.TakeY();
    }

    /// <summary>One FFN's matrices, packed, its rows, and room for what comes of them.</summary>
    private sealed class Ffn : IDisposable
    {
        private readonly PackedMatrix _gate, _up, _down;
        private readonly float* _x, _ofGate, _ofUp, _y;
        private readonly int _values;

        public Ffn(ThreadTeam team, float[] x, float[] gate, float[] up, float[] down, int rows, int hidden)
        {
            (_gate, _up, _down) = (Pack(gate, hidden, Width), Pack(up, hidden, Width), Pack(down, Width, hidden));
            _x = Room(x.Length);
            _ofGate = Room(rows * hidden);
            _ofUp = Room(rows * hidden);
            _y = Room(x.Length);
            _values = x.Length;
            x.CopyTo(new Span<float>(_x, x.Length));

            PackedMatrix Pack(float[] matrix, int outputs, int inputs)
            {
                fixed (byte* stored = Samples.Stored(matrix, true)) return PackedMatrix.Pack((nint)stored, true, outputs, inputs, inputs, 1, team);
            }
        }

        public FfnJob Job((int First, int Rows)[] groups, bool round) =>
            new([.. groups.Select(i => new FfnGroup(_gate.Panels, _up.Panels, _down.Panels, i.First, i.Rows))], _x, _ofGate, _ofUp, _y, round);

        /// <summary>What has come out; zeros afterwards.</summary>
        public float[] TakeY()
        {
            var y = new Span<float>(_y, _values);
            var values = y.ToArray();
            y.Clear();
            return values;
        }

        public void Dispose()
        {
            foreach (var matrix in (PackedMatrix[])[_gate, _up, _down]) matrix.Dispose();
            foreach (var room in (nint[])[(nint)_x, (nint)_ofGate, (nint)_ofUp, (nint)_y]) NativeMemory.Free((void*)room);
        }

        private static float* Room(int values) => (float*)NativeMemory.AllocZeroed((nuint)values, sizeof(float));
    }
}
