using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace ActorLlama.Kernels;

/// <summary>The three matrices of one gated FFN and the rows that go through it.</summary>
public readonly record struct FfnGroup(WeightPanels Gate, WeightPanels Up, WeightPanels Down, int FirstRow, int Rows);

/// <summary>Wdown( silu(Wgate x) · (Wup x) ), spec 2.9, for one FFN or for many experts with rows of their own at once.</summary>
public static unsafe class GatedFfn
{
    /// <summary>
    /// Runs every group over its rows of <paramref name="x"/> [rows, D] into the same rows of <paramref name="y"/> [rows, D]; all groups
    /// have the same widths. <paramref name="gate"/> and <paramref name="up"/> are room for [rows, F] each. With <paramref name="round"/>
    /// gate, up, silu, their product and down are each rounded to bfloat16.
    /// </summary>
    public static void Run(ThreadTeam team, FfnGroup[] groups, float* x, float* gate, float* up, float* y, bool round)
    {
        if (groups.Length == 0) return;
        int width = groups[0].Gate.Inputs, hidden = groups[0].Gate.Outputs;
        var work = groups.Sum(g => (long)g.Rows) * width * hidden;
        var hiddenPanels = groups[0].Gate.Panels;
        var hiddenStrip = Product.StripPanels((long)hiddenPanels * groups.Length, team.Threads, groups[0].Gate.IsInPlace);
        var hiddenUnits = Product.UnitsOf(hiddenPanels, hiddenStrip);
        team.For(hiddenUnits * groups.Length, (unit, thread) =>
        {
            var g = groups[unit / hiddenUnits];
            var first = unit % hiddenUnits * hiddenStrip;
            var end = Math.Min(hiddenPanels, first + hiddenStrip);
            var rows = x + (long)g.FirstRow * width;
            var ofGate = gate + (long)g.FirstRow * hidden;
            var ofUp = up + (long)g.FirstRow * hidden;
            new Product(g.Gate, rows, width, g.Rows, ofGate, hidden, round)
                .RunPanels(first, end, team.Scratch(thread), g.Up.Data + first * g.Up.PanelStride);
            new Product(g.Up, rows, width, g.Rows, ofUp, hidden, round).RunPanels(first, end, team.Scratch(thread));
            var (start, count) = (first * WeightPanels.Width, Math.Min(end * WeightPanels.Width, hidden) - first * WeightPanels.Width);
            for (var r = 0L; r < g.Rows; r++) SiluTimes(ofGate + r * hidden + start, ofUp + r * hidden + start, count, round);
        }, 2 * work);

        var panels = groups[0].Down.Panels;
        var strip = Product.StripPanels((long)panels * groups.Length, team.Threads, groups[0].Down.IsInPlace);
        var units = Product.UnitsOf(panels, strip);
        team.For(units * groups.Length, (unit, thread) =>
        {
            var g = groups[unit / units];
            var first = unit % units * strip;
            new Product(g.Down, gate + (long)g.FirstRow * hidden, hidden, g.Rows, y + (long)g.FirstRow * g.Down.Outputs, g.Down.Outputs, round)
                .RunPanels(first, Math.Min(panels, first + strip), team.Scratch(thread));
        }, work);
    }

    /// <summary>gate = silu(gate) · up.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static void SiluTimes(float* gate, float* up, int count, bool round)
    {
        var i = 0;
        if (!Vector512.IsHardwareAccelerated)
            for (; i + LaneMath.Lanes / 2 <= count; i += LaneMath.Lanes / 2) SiluTimes(Vector256.Load(gate + i), Vector256.Load(up + i), round).Store(gate + i);
        for (; i + LaneMath.Lanes <= count; i += LaneMath.Lanes) SiluTimes(Vector512.Load(gate + i), Vector512.Load(up + i), round).Store(gate + i);
        if (i < count) LaneMath.StoreTail(SiluTimes(LaneMath.LoadTail(gate + i, count - i), LaneMath.LoadTail(up + i, count - i), round), gate + i, count - i);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> SiluTimes(Vector256<float> gate, Vector256<float> up, bool round)
    {
        var silu = LaneMath.Silu(gate);
        return round ? Bf16.Round(Bf16.Round(silu) * up) : silu * up;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> SiluTimes(Vector512<float> gate, Vector512<float> up, bool round)
    {
        var silu = LaneMath.Silu(gate);
        return round ? Bf16.Round(Bf16.Round(silu) * up) : silu * up;
    }
}
