using System.Collections.Concurrent;
using ActorLlama.Runtime.Devices;
using Akka.Actor;
using Akka.Configuration;
using Akka.Dispatch;
using Akka.Event;

namespace ActorLlama.Runtime.Tests.Devices;

public sealed class DeviceExecutorTests : IDisposable
{
    private static readonly TimeSpan s_wait = TimeSpan.FromSeconds(20);
    private readonly ActorSystem _system = ActorSystem.Create("test", ConfigurationFactory.ParseString(
        $"akka.loglevel = OFF, akka.stdout-loglevel = OFF\n{NodeDevice.DispatcherHocon(0)}"));

    [Fact]
    public async Task All_actors_of_a_device_run_on_its_one_thread()
    {
        var props = Props.Create<Teller>().WithDispatcher(NodeDevice.DispatcherName(0));
        var actors = Enumerable.Range(0, 3).Select(_ => _system.ActorOf(props)).ToArray();
        var threads = new HashSet<(int, string?)>();
        // One after the other: the thread has gone to sleep before most of them.
        for (var i = 0; i < 300; i++) threads.Add(await actors[i % 3].Ask<(int, string?)>("which thread?", s_wait));
        Assert.Equal(NodeDevice.DispatcherName(0), Assert.Single(threads).Item2);
    }

    [Fact]
    public void What_many_threads_schedule_runs_once_in_the_order_of_each()
    {
        const int Threads = 4, Runs = 5_000;
        var executor = new DeviceExecutor("device", _system.EventStream);
        var seen = new List<(int Thread, int Run)>();
        using var all = new CountdownEvent(Threads * Runs);
        var senders = Enumerable.Range(0, Threads).Select(t => new Thread(() =>
        {
            for (var i = 0; i < Runs; i++)
            {
                var run = i;
                executor.Execute(new ActionRunnable(() =>
                {
                    seen.Add((t, run));
                    all.Signal();
                }));
                if (i % 100 == 0) Thread.Sleep(0);
            }
        })).ToArray();
        foreach (var sender in senders) sender.Start();
        Assert.True(all.Wait(s_wait));
        foreach (var runs in seen.GroupBy(s => s.Thread)) Assert.Equal(Enumerable.Range(0, Runs), runs.Select(r => r.Run));
        executor.Shutdown();
    }

    [Fact]
    public void A_fault_is_told_and_the_thread_goes_on_until_it_has_run_what_waits()
    {
        var inbox = Inbox.Create(_system);
        _system.EventStream.Subscribe(inbox.Receiver, typeof(Error));
        var executor = new DeviceExecutor("device", _system.EventStream);
        var ran = new ConcurrentQueue<int>();
        using var go = new ManualResetEventSlim();
        using var last = new ManualResetEventSlim();
        executor.Execute(new ActionRunnable(() => throw new InvalidDataException("nobody's fault")));
        executor.Execute(new ActionRunnable(() => go.Wait(s_wait)));
        executor.Execute(new ActionRunnable(() => ran.Enqueue(1)));
        executor.Execute(new ActionRunnable(last.Set));
        executor.Shutdown();
        Assert.Throws<RejectedExecutionException>(() => executor.Execute(new ActionRunnable(() => ran.Enqueue(2))));
        go.Set();
        Assert.True(last.Wait(s_wait));
        Assert.Equal([1], ran);
        Assert.Equal("nobody's fault", Assert.IsType<Error>(inbox.Receive(s_wait)).Cause.Message);
    }

    public void Dispose() => _system.Terminate().Wait(s_wait);

    private sealed class Teller : UntypedActor
    {
        protected override void OnReceive(object message) => Sender.Tell((Environment.CurrentManagedThreadId, Thread.CurrentThread.Name));
    }
}
