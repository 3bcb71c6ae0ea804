using System.Collections.Concurrent;
using ActorLlama.Model;
using ActorLlama.Runtime.Devices;
using Akka.Actor;

namespace ActorLlama.Runtime.Tests.Devices;

public sealed class WeightLoadTests : IAsyncLifetime
{
    private static readonly TimeSpan s_soon = TimeSpan.FromSeconds(20);

    private readonly ActorSystem _system = ActorSystem.Create("load");
    private readonly DeviceLoader _loader = new("cpu:0", s_soon);
    private readonly BlockingCollection<(long Bytes, string? Fault)> _reports = [];

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        await _system.Terminate();
        _loader.Dispose();
    }

    [Fact]
    public async Task An_actor_answers_and_tells_progress_while_it_loads()
    {
        using var go = new ManualResetEventSlim();
        var weights = new Weights();
        var owner = Owner(loading =>
        {
            loading.BytesRead!(70);
            Assert.True(go.Wait(s_soon));
            return weights;
        });
        Assert.Equal("loading", await owner.Ask<string>("state", s_soon));
        Assert.Equal((0, null), Report());
        Assert.Equal((70, null), Report());
        Assert.Equal("loading", await owner.Ask<string>("state", s_soon));
        go.Set();
        Assert.Equal((-1, null), Report());
        Assert.Equal("serving", await owner.Ask<string>("state", s_soon));
        await owner.GracefulStop(s_soon);
        Assert.Equal(1, weights.Disposals);
    }

    [Fact]
    public async Task A_fault_is_reported_and_thrown_in_the_actor()
    {
        var owner = Owner(_ => throw new InvalidDataException("a bad weight"));
        Assert.Equal((0, null), Report());
        Assert.Equal((0, "a bad weight"), Report());
        Assert.True(await owner.GracefulStop(s_soon));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_fault_of_the_disk_or_of_the_memory_is_told_as_the_devices(bool ofDisk)
    {
        var owner = Owner(_ => throw (ofDisk ? new IOException("it failed") : new InsufficientMemoryException("it failed")));
        Assert.Equal((0, null), Report());
        Assert.Equal((0, "device: it failed"), Report());
        Assert.True(await owner.GracefulStop(s_soon));
    }

    [Fact]
    public async Task An_actor_that_stops_ends_its_load_and_what_was_loaded_is_freed()
    {
        using var began = new ManualResetEventSlim();
        var weights = new Weights();
        var owner = Owner(loading =>
        {
            began.Set();
            // Reads on to its end: the load was told to stop when it was nearly done.
            Assert.True(loading.Cancellation.WaitHandle.WaitOne(s_soon));
            return weights;
        });
        Assert.True(began.Wait(s_soon));
        Assert.True(await owner.GracefulStop(s_soon));
        _loader.Dispose();
        Assert.Equal(1, weights.Disposals);
    }

    [Fact]
    public void A_device_that_ends_ends_its_loads()
    {
        using var began = new ManualResetEventSlim();
        Owner(loading =>
        {
            began.Set();
            while (true) loading.Cancellation.ThrowIfCancellationRequested();
        });
        Assert.True(began.Wait(s_soon));
        var second = false;
        Owner(_ =>
        {
            second = true;
            return new Weights();
        });
        Assert.Equal((0, null), Report());
        Assert.Equal((0, null), Report());
        _loader.Dispose();
        Assert.False(second);
    }

    [Fact]
    public async Task A_load_with_a_rate_waits_until_its_bytes_are_due_and_ends_at_once_with_its_actor()
    {
        using var slow = new DeviceLoader("cpu:1", stall: TimeSpan.FromMilliseconds(100), rate: 1000);
        using var began = new ManualResetEventSlim();
        var passed = 0;
        var owner = Owner(
            loading =>
            {
                began.Set();
                loading.BytesRead!(1_000_000);
                passed++;
                loading.Cancellation.ThrowIfCancellationRequested();
                return new Weights();
            },
            slow);
        Assert.Equal((0, null), Report());
        Assert.True(began.Wait(s_soon));
        Assert.Equal("loading", await owner.Ask<string>("state", s_soon));
        Assert.Equal(0, passed);
        Assert.True(await owner.GracefulStop(s_soon));
        slow.Dispose();
        Assert.True(SpinWait.SpinUntil(() => slow.HasEnded, s_soon));
        Assert.Equal(1, passed);
    }

    [Fact]
    public async Task A_load_that_reads_nothing_for_too_long_is_told_as_the_devices_fault_and_ends_its_actor()
    {
        using var hung = new DeviceLoader("cpu:1", stall: TimeSpan.FromMilliseconds(200));
        using var back = new ManualResetEventSlim();
        var weights = new Weights();
        var owner = Owner(
            _ =>
            {
                Assert.True(back.Wait(s_soon));
                return weights;
            },
            hung);
        Assert.Equal((0, null), Report());
        Assert.Equal((0, "device: nothing could be read for 0.2 s"), Report());
        Assert.True(await owner.GracefulStop(s_soon));
        hung.Dispose();
        Assert.False(hung.HasEnded);
        back.Set();
        Assert.True(SpinWait.SpinUntil(() => hung.HasEnded, s_soon));
        Assert.Equal(1, weights.Disposals);
    }

    private (long, string?) Report() => _reports.TryTake(out var report, s_soon) ? report : throw new TimeoutException("No report came.");

    private IActorRef Owner(Func<WeightLoading, Weights> load, DeviceLoader? loader = null) =>
        _system.ActorOf(Props.Create(() => new OwnerActor(loader ?? _loader, load, _reports)));

    private sealed class Weights : IDisposable
    {
        private int _disposals;

        public int Disposals => Volatile.Read(ref _disposals);

        public void Dispose() => Interlocked.Increment(ref _disposals);
    }

    /// <summary>As stages and experts do it. Reports −1 when it serves.</summary>
    private sealed class OwnerActor(DeviceLoader loader, Func<WeightLoading, Weights> load, BlockingCollection<(long, string?)> reports) : UntypedActor
    {
        private WeightLoad<Weights>? _load;
        private Weights? _weights;

        protected override void PreStart() => _load = WeightLoad<Weights>.Start(
            loader, Self, TimeProvider.System, allowNaN: false, load, (bytes, fault) => reports.Add((bytes, fault is { IsOfDevice: true } ? $"device: {fault.Message}" : fault?.Message)));

        protected override void OnReceive(object message)
        {
            switch (message)
            {
                case LoadMessage part when _load!.Receive(part) is { } weights:
                    _weights = weights;
                    reports.Add((-1, null));
                    break;
                case string: Sender.Tell(_weights is null ? "loading" : "serving"); break;
            }
        }

        protected override void PostStop()
        {
            _load?.Dispose();
            _weights?.Dispose();
        }
    }
}
