using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace ActorLlama.Kernels;

/// <summary>What a machine can do at most, measured: what kernels are compared with.</summary>
/// <param name="GigabytesPerSecond">Memory read once, by all threads together; 10^9 bytes.</param>
/// <param name="GigaflopsPerSecond">Fused multiply-adds of float32 in registers, by all threads together, two operations each.</param>
public sealed unsafe record MachineLimits(double GigabytesPerSecond, double GigaflopsPerSecond)
{
    private const int UnitBytes = 1 << 20, Units = 512, Passes = 5, Rounds = 4_000_000, Chains = 6;

    /// <summary>The best of several tries; takes about a second and half a gigabyte of memory.</summary>
    public static MachineLimits Measure(ThreadTeam team)
    {
        using var mapped = new MappedMemory((long)Units * UnitBytes);
        var memory = (byte*)mapped.Address;
        team.For(Units, (unit, _) => new Span<byte>(memory + (long)unit * UnitBytes, UnitBytes).Fill(1));
        var read = Best(() => team.For(Units, (unit, _) => Read(memory + (long)unit * UnitBytes)));
        var multiplied = Best(() => team.For(team.Threads, (_, _) => Multiply(Rounds)));
        return new MachineLimits((double)Units * UnitBytes / read / 1e9, 2.0 * Rounds * Chains * Vector512<float>.Count * team.Threads / multiplied / 1e9);
    }

    /// <summary>Seconds of the fastest of several runs.</summary>
    private static double Best(Action run) => Enumerable.Range(0, Passes).Min(_ =>
    {
        var clock = Stopwatch.StartNew();
        run();
        return clock.Elapsed.TotalSeconds;
    });

    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static uint Read(byte* from)
    {
        Vector512<uint> a = default, b = default;
        for (var i = 0; i < UnitBytes; i += 128)
        {
            a ^= Vector512.Load((uint*)(from + i));
            b ^= Vector512.Load((uint*)(from + i + 64));
        }
        return Vector512.Sum(a ^ b);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static float Multiply(int rounds)
    {
        var x = Vector512.Create(0.999f);
        var y = Vector512.Create(0.001f);
        Vector512<float> a = x, b = x, c = x, d = x, e = x, f = x;
        for (var i = 0; i < rounds; i++)
        {
            a = Vector512.FusedMultiplyAdd(a, x, y);
            b = Vector512.FusedMultiplyAdd(b, x, y);
            c = Vector512.FusedMultiplyAdd(c, x, y);
            d = Vector512.FusedMultiplyAdd(d, x, y);
            e = Vector512.FusedMultiplyAdd(e, x, y);
            f = Vector512.FusedMultiplyAdd(f, x, y);
        }
        return Vector512.Sum(a + b + c + d + e + f);
    }
}
