using System.Net.Sockets;
using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Akka.Event;

namespace ActorLlama.Runtime.Lanes;

/// <summary>One socket's life: a loop that reads, a loop that writes, and its end. Both loops are asynchronous; no thread waits.</summary>
internal abstract class LaneConnection : IDisposable
{
    private static readonly TimeSpan s_goodbye = TimeSpan.FromMilliseconds(200);
    private readonly CancellationTokenSource _ended = new();
    private readonly Channel<bool> _wake = Channel.CreateBounded<bool>(
        new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite, SingleReader = true, AllowSynchronousContinuations = true });
    private LaneEnding? _ending;
    private bool _isBetweenFrames;

    protected LaneConnection(LaneNode lane) => (Lane, Ended) = (lane, _ended.Token);

    protected LaneNode Lane { get; }

    protected CancellationToken Ended { get; }

    /// <summary>Null until it has ended.</summary>
    protected LaneEnding? Ending => Volatile.Read(ref _ending);

    protected FrameReader? Reader { get; set; }

    /// <summary>Has this node end the connection; the first reason stays.</summary>
    public void Close(string reason) => End(new(reason, IsDeliberate: true));

    /// <summary>Ends the connection; the first way stays.</summary>
    public virtual void End(LaneEnding ending)
    {
        if (Interlocked.CompareExchange(ref _ending, ending, null) is null) _ended.Cancel();
    }

    /// <summary>
    /// There may be something to write. A write loop that waits goes on here, on the caller's thread, until its first bytes are with the
    /// socket: a thread's switch costs more than a small write. So no lock may be held.
    /// </summary>
    public void Wake() => _wake.Writer.TryWrite(true);

    /// <summary>Called every heartbeat interval. <paramref name="wasAsleep"/>: this process itself did not run, so silence proves nothing.</summary>
    public virtual void Tick(bool wasAsleep)
    {
        if (Reader is not { } reader) return;
        var now = Lane.Time.GetTimestamp();
        if (wasAsleep) reader.LastRead = now;
        else if (Lane.Time.GetElapsedTime(reader.LastRead, now) > Lane.Options.HeartbeatDeadline)
            Close($"silent for more than {Lane.Options.HeartbeatDeadline}");
    }

    /// <summary>After <see cref="Close"/>, when both loops have ended.</summary>
    public virtual void Dispose()
    {
        Reader?.Dispose();
        _ended.Dispose();
        GC.SuppressFinalize(this);
    }

    /// <summary>For the write loop, when all it had to write is with the socket.</summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    protected async ValueTask WaitAsync()
    {
        _isBetweenFrames = true;
        await _wake.Reader.ReadAsync(Ended).ConfigureAwait(false);
        _isBetweenFrames = false;
    }

    /// <summary>Runs both loops until one ends, then ends the other.</summary>
    protected async Task RunAsync(Stream stream, Func<Stream, Task> read, Func<Stream, Task> write)
    {
        var reading = read(stream);
        var writing = write(stream);
        var first = await Task.WhenAny(reading, writing).ConfigureAwait(false);
        End(new(first.Exception?.GetBaseException() is { } fault ? Describe(fault) : "closed by the peer", IsDeliberate: false));
        await Task.WhenAll(reading, writing).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (Ending is { IsDeliberate: true } && _isBetweenFrames) await SayGoodbyeAsync(stream).ConfigureAwait(false);
        foreach (var loop in (Task[])[reading, writing])
            if (loop.Exception?.GetBaseException() is { } e && !IsExpected(e)) throw e;
    }

    /// <summary>The peer has said that it ends the connection: so it lives.</summary>
    protected void TakeGoodbye() => End(new("ended by the peer", IsDeliberate: true));

    private static async Task SayGoodbyeAsync(Stream stream)
    {
        var frame = new byte[FrameHeader.Size];
        new FrameHeader(0, FrameKind.Goodbye, LaneClass.Control).Write(frame);
        using var limit = new CancellationTokenSource(s_goodbye);
        try
        {
            await stream.WriteAsync(frame, limit.Token).ConfigureAwait(false);
        }
        catch (Exception e) when (IsExpected(e))
        {
            // Who is gone, or takes nothing, need not hear it.
        }
    }

    /// <summary>What a network and a peer can do to a loop.</summary>
    protected static bool IsExpected(Exception e) =>
        e is IOException or SocketException or System.Security.Authentication.AuthenticationException or OperationCanceledException or ObjectDisposedException or LaneFormatException or LaneRefusedException;

    /// <summary>Counts and logs what ended it when the peer broke the rules.</summary>
    protected string Describe(Exception e)
    {
        if (e is LaneFormatException or LaneRefusedException { Reason: Protocol.LaneRefusal.Certificate })
        {
            Lane.Counters.Broken();
            Lane.Log.Warning("Lane connection {Connection} ended: {Reason}", this, e.Message);
        }
        return e is OperationCanceledException ? Ending?.Reason ?? "" : e.Message;
    }
}
