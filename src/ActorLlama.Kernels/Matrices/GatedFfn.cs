using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace ActorLlama.Kernels;

/// <summary>The three matrices of one gated FFN and the rows that go through it.</summary>
public readonly record struct FfnGroup(WeightPanels Gate, WeightPanels Up, WeightPanels Down, int FirstRow, int Rows);

/// <summary>Wdown( silu(Wgate x) · (Wup x) ), spec 2.9, for one FFN or for many experts with rows of their own at once.</summary>
public static unsafe class GatedFfn
{
    /// <summary>Runs a job. Where it rounds, gate, up, silu, their product and down are each rounded to bfloat16.</summary>
    public static void Run(ThreadTeam team, FfnJob job)
    {
        var (hidden, down) = (job.GateAndUp(team), job.Down(team));
        team.For(hidden.Units, hidden.Body, 2 * job.Work);
        team.For(down.Units, down.Body, job.Work);
    }

    /// <summary>Runs two jobs at once, each by half of the threads as long as it lasts: one that waits for weights leaves the arithmetic to one that has many rows.</summary>
    public static void Run(ThreadTeam team, FfnJob first, FfnJob second)
    {
        var work = first.Work + second.Work;
        team.ForBoth(first.GateAndUp(team), second.GateAndUp(team), 2 * work);
        team.ForBoth(first.Down(team), second.Down(team), work);
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
