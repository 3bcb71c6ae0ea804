namespace ActorLlama.Kernels;

/// <summary>
/// FFNs, all of the same widths, over their rows of <paramref name="x"/> [rows, D] into the same rows of <paramref name="y"/> [rows, D].
/// <paramref name="gate"/> and <paramref name="up"/> are room for [rows, F] each.
/// </summary>
public readonly unsafe struct FfnJob(FfnGroup[] groups, float* x, float* gate, float* up, float* y, bool round)
{
    private int Width => groups[0].Gate.Inputs;

    private int Hidden => groups[0].Gate.Outputs;

    /// <summary>Multiply-adds of down; gate and up have twice as many.</summary>
    internal long Work => groups.Sum(g => (long)g.Rows) * Width * Hidden;

    /// <summary>gate, up, and silu(gate) · up.</summary>
    internal TeamJob GateAndUp(ThreadTeam team)
    {
        var (work, panels) = (this, groups[0].Gate.Panels);
        var strip = StripOf(groups[0].Gate, team);
        var units = Product.UnitsOf(panels, strip);
        return new TeamJob(units * groups.Length, (unit, thread) => work.GateAndUp(unit / units, unit % units * strip, Math.Min(panels, unit % units * strip + strip), team.Scratch(thread)));
    }

    internal TeamJob Down(ThreadTeam team)
    {
        var (work, panels) = (this, groups[0].Down.Panels);
        var strip = StripOf(groups[0].Down, team);
        var units = Product.UnitsOf(panels, strip);
        return new TeamJob(units * groups.Length, (unit, thread) => work.Down(unit / units, unit % units * strip, Math.Min(panels, unit % units * strip + strip), team.Scratch(thread)));
    }

    private int StripOf(WeightPanels matrix, ThreadTeam team) => Product.StripPanels((long)matrix.Panels * groups.Length, team.Threads, matrix.IsInPlace, (long)groups.Max(g => g.Rows) * matrix.Inputs);

    private void GateAndUp(int group, int first, int end, byte* scratch)
    {
        var (g, hidden) = (groups[group], Hidden);
        var rows = x + (long)g.FirstRow * Width;
        var ofGate = gate + (long)g.FirstRow * hidden;
        var ofUp = up + (long)g.FirstRow * hidden;
        new Product(g.Gate, rows, Width, g.Rows, ofGate, hidden, round).RunPanels(first, end, scratch, g.Up.Data + first * g.Up.PanelStride);
        new Product(g.Up, rows, Width, g.Rows, ofUp, hidden, round).RunPanels(first, end, scratch);
        var (start, count) = (first * WeightPanels.Width, Math.Min(end * WeightPanels.Width, hidden) - first * WeightPanels.Width);
        for (var r = 0L; r < g.Rows; r++) GatedFfn.SiluTimes(ofGate + r * hidden + start, ofUp + r * hidden + start, count, round);
    }

    private void Down(int group, int first, int end, byte* scratch)
    {
        var g = groups[group];
        new Product(g.Down, gate + (long)g.FirstRow * Hidden, Hidden, g.Rows, y + (long)g.FirstRow * g.Down.Outputs, g.Down.Outputs, round).RunPanels(first, end, scratch);
    }
}
