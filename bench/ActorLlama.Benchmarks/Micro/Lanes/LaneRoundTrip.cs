using System.Globalization;
using ActorLlama.Trust;
using BenchmarkDotNet.Attributes;

namespace ActorLlama.Benchmarks.Micro.Lanes;

/// <summary>One hop there and back between two processes, beside bare sockets. 8 KB is one row of Scout's 5,120 values in bf16, rounded down.</summary>
public class LaneRoundTrip
{
    private const int Trips = 50;
    private RawEcho _raw = null!;
    private LaneEcho _lane = null!;
    private LaneEcho _actors = null!;
    private LaneEcho _encrypted = null!;
    private DirectoryInfo _certificates = null!;

    /// <summary>From the environment, as benchmarks have no arguments of their own.</summary>
    public static IEnumerable<int> Sizes => Environment.GetEnvironmentVariable("BENCH_BYTES") is { } sizes
        ? sizes.Split(',').Select(s => int.Parse(s, CultureInfo.InvariantCulture))
        : [1 << 10, 8 << 10, 100 << 10, 1 << 20];

    [ParamsSource(nameof(Sizes))]
    public int Bytes { get; set; }

    [GlobalSetup]
    public async Task StartAsync()
    {
        _certificates = Directory.CreateTempSubdirectory("actorllama-bench-certificates-");
        CertificateFolders.Create(_certificates.FullName, [NodeHosts.Parse(EchoNode.Host)], TimeSpan.FromDays(1), TimeProvider.System.GetUtcNow());
        (_raw, _lane, _actors, _encrypted) = (
            await RawEcho.StartAsync(Bytes),
            await LaneEcho.StartAsync(Bytes, withMailboxes: false),
            await LaneEcho.StartAsync(Bytes, withMailboxes: true),
            await LaneEcho.StartAsync(Bytes, withMailboxes: false, Path.Combine(_certificates.FullName, EchoNode.Host)));
    }

    [GlobalCleanup]
    public async Task EndAsync()
    {
        await _raw.DisposeAsync();
        await _lane.DisposeAsync();
        await _actors.DisposeAsync();
        await _encrypted.DisposeAsync();
        _certificates.Delete(recursive: true);
    }

    [Benchmark(Baseline = true, OperationsPerInvoke = Trips)]
    public Task RawTcp() => _raw.RoundTripsAsync(Trips);

    [Benchmark(OperationsPerInvoke = Trips)]
    public Task Lane() => _lane.RoundTripsAsync(Trips);

    [Benchmark(OperationsPerInvoke = Trips)]
    public Task LaneWithCertificates() => _encrypted.RoundTripsAsync(Trips);

    [Benchmark(OperationsPerInvoke = Trips)]
    public Task LaneBetweenActors() => _actors.RoundTripsAsync(Trips);
}
