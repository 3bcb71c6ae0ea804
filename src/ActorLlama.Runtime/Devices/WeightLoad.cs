using System.Runtime.ExceptionServices;
using ActorLlama.Model;
using Akka.Actor;

namespace ActorLlama.Runtime.Devices;

/// <summary>
/// One load of weights on its device's loader thread, for the actor that started it and tells of it meanwhile. Owns what is loaded until the actor takes it.
/// </summary>
internal sealed class WeightLoad<T> : IDisposable where T : class, IDisposable
{
    private static readonly TimeSpan s_tellEvery = TimeSpan.FromMilliseconds(100);

    private readonly Lock _lock = new();
    private readonly CancellationTokenSource _cancelled = new();
    private readonly TimeProvider _time;
    private readonly Action<long, LoadFault?> _report;
    private readonly IActorRef _owner;
    private readonly long? _rate;
    private readonly TimeSpan _stall;
    private long _begun;
    private int _loader;
    private T? _loaded;
    private ExceptionDispatchInfo? _fault;
    private bool _isDisposed, _hasEnded;
    private volatile bool _isPacing;
    private long _bytes, _told;

    private WeightLoad(IActorRef owner, TimeProvider time, DeviceLoader loader, Action<long, LoadFault?> report) =>
        (_owner, _time, _rate, _stall, _report) = (owner, time, loader.Rate, loader.Stall, report);

    /// <summary>Begins a load for the actor that calls.</summary>
    /// <param name="loader">Where.</param>
    /// <param name="owner">The actor; it hands every <see cref="LoadMessage"/> to <see cref="Receive"/>.</param>
    /// <param name="time">For the rate of reports.</param>
    /// <param name="allowNaN">Whether NaN is let through.</param>
    /// <param name="load">The load itself.</param>
    /// <param name="report">Tells the device how many bytes were read, and a fault or null; called by the actor.</param>
    public static WeightLoad<T> Start(
        DeviceLoader loader, IActorRef owner, TimeProvider time, bool allowNaN, Func<WeightLoading, T> load, Action<long, LoadFault?> report)
    {
        var started = new WeightLoad<T>(owner, time, loader, report);
        report(0, null);
        loader.Run(end => started.Run(load, allowNaN, end));
        return started;
    }

    /// <summary>
    /// What a message means to the actor: null while it loads, then the weights, which are the actor's. A fault is reported and thrown, for the supervisor to decide.
    /// </summary>
    public T? Receive(LoadMessage message)
    {
        if (!ReferenceEquals(message.Load, this)) return null;
        if (message is LoadMessage.Progress progress)
        {
            _report(progress.Bytes, null);
            return null;
        }

        if (message is LoadMessage.Stalled)
        {
            // It may have gone on, and even ended, since it was said.
            lock (_lock)
                if (_hasEnded) return null;
            var fault = $"nothing could be read for {_stall.TotalSeconds:0.#} s";
            _report(0, new LoadFault(fault, IsOfDevice: true));
            throw new IOException(fault);
        }

        lock (_lock)
        {
            if (_fault is { SourceException: var e } && (e is InvalidDataException or KeyNotFoundException || DeviceFaults.IsOfDevice(e)))
                _report(0, new LoadFault(e.Message, DeviceFaults.IsOfDevice(e)));
            _fault?.Throw();
            (var loaded, _loaded) = (_loaded, null);
            return loaded;
        }
    }

    /// <summary>Ends the load soon; what it has loaded or is about to is freed, unless it was taken.</summary>
    public void Dispose()
    {
        lock (_lock)
        {
            if (_isDisposed) return;
            _isDisposed = true;
            _cancelled.Cancel();
            _loaded?.Dispose();
            _loaded = null;
        }
    }

    private void Run(Func<WeightLoading, T> load, bool allowNaN, CancellationToken end)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(end, _cancelled.Token);
        using var watch = Watch();
        T? loaded = null;
        ExceptionDispatchInfo? fault = null;
        try
        {
            either.Token.ThrowIfCancellationRequested();
            (_begun, _loader) = (_time.GetTimestamp(), Environment.CurrentManagedThreadId);
            loaded = load(new WeightLoading(allowNaN, bytes => Count(bytes, either.Token), either.Token));
        }
        catch (Exception e)
        {
            // Thrown again where the actor hears of it; of several threads' the first.
            fault = ExceptionDispatchInfo.Capture(e is AggregateException several ? several.GetBaseException() : e);
        }

        lock (_lock)
        {
            (_loaded, _fault, _hasEnded) = (loaded, fault, true);
            if (_isDisposed)
            {
                loaded?.Dispose();
                return;
            }
        }

        _owner.Tell(new LoadMessage.Ended(this));
    }

    /// <summary>Tells the actor when nothing was read for long. Twice in half the time: after a pause of the whole process the first look is early.</summary>
    private ITimer Watch()
    {
        var (seen, idle) = (-1L, 0);
        return _time.CreateTimer(
            _ =>
            {
                var bytes = Interlocked.Read(ref _bytes);
                idle = bytes == seen && !_isPacing ? idle + 1 : 0;
                seen = bytes;
                if (idle == 2) _owner.Tell(new LoadMessage.Stalled(this));
            },
            null, TimeSpan.Zero, _stall / 2);
    }

    private void Count(long bytes, CancellationToken end)
    {
        var all = Interlocked.Add(ref _bytes, bytes);
        Pace(all, end);
        var (told, now) = (Interlocked.Read(ref _told), _time.GetTimestamp());
        if (_time.GetElapsedTime(told, now) < s_tellEvery || Interlocked.CompareExchange(ref _told, now, told) != told) return;
        _owner.Tell(new LoadMessage.Progress(this, all));
    }

    /// <summary>Waits until so many bytes may have been read. The loader's own thread alone: those that help it have their share and no more.</summary>
    private void Pace(long bytes, CancellationToken end)
    {
        if (_rate is not { } rate || Environment.CurrentManagedThreadId != _loader) return;
        var early = TimeSpan.FromSeconds(bytes / (double)rate) - _time.GetElapsedTime(_begun);
        if (early <= TimeSpan.Zero) return;
        _isPacing = true;
        end.WaitHandle.WaitOne(early);
        _isPacing = false;
    }
}

/// <summary>Why a load failed. <paramref name="IsOfDevice"/>: another device may do better.</summary>
internal sealed record LoadFault(string Message, bool IsOfDevice);

/// <summary>From a load to the actor that started it.</summary>
internal abstract record LoadMessage(object Load) : INoSerializationVerificationNeeded
{
    /// <summary>Some bytes of the weights have been read.</summary>
    public sealed record Progress(object Load, long Bytes) : LoadMessage(Load);

    /// <summary>Nothing has been read for too long.</summary>
    public sealed record Stalled(object Load) : LoadMessage(Load);

    /// <summary>The weights are there, or a fault is.</summary>
    public sealed record Ended(object Load) : LoadMessage(Load);
}
