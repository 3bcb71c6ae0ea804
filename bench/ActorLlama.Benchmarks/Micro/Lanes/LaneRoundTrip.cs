using System.Globalization;
using BenchmarkDotNet.Attributes;

namespace ActorLlama.Benchmarks.Micro.Lanes;

/// <summary>One hop there and back between two processes, beside bare sockets. 8 KB is one row of Scout's 5,120 values in bf16, rounded down.</summary>
public class LaneRoundTrip
{
    private const int Trips = 50;
    private RawEcho _raw = null!;
    private LaneEcho _lane = null!;
    private LaneEcho _actors = null!;

    /// <summary>From the environment, as benchmarks have no arguments of their own.</summary>
    public static IEnumerable<int> Sizes => Environment.GetEnvironmentVariable("BENCH_BYTES") is { } sizes
        ? sizes.Split(',').Select(s => int.Parse(s, CultureInfo.InvariantCulture))
        : [1 << 10, 8 << 10, 100 << 10, 1 << 20];

    [ParamsSource(nameof(Sizes))]
    public int Bytes { get; set; }

    [GlobalSetup]
    public async Task StartAsync() => (_raw, _lane, _actors) =
        (await RawEcho.StartAsync(Bytes), await LaneEcho.StartAsync(Bytes, withMailboxes: false), await LaneEcho.StartAsync(Bytes, withMailboxes: true));

    [GlobalCleanup]
    public async Task EndAsync()
    {
        await _raw.DisposeAsync();
        await _lane.DisposeAsync();
        await _actors.DisposeAsync();
    }

    [Benchmark(Baseline = true, OperationsPerInvoke = Trips)]
    public Task RawTcp() => _raw.RoundTripsAsync(Trips);

    [Benchmark(OperationsPerInvoke = Trips)]
    public Task Lane() => _lane.RoundTripsAsync(Trips);

    [Benchmark(OperationsPerInvoke = Trips)]
    public Task LaneBetweenActors() => _actors.RoundTripsAsync(Trips);
}
