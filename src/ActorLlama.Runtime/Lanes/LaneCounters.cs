namespace ActorLlama.Runtime.Lanes;

/// <summary>The running totals behind <see cref="LaneStatistics"/>; any thread adds.</summary>
internal sealed class LaneCounters
{
    private readonly long[] _messagesSent = new long[LaneClasses.Count];
    private readonly long[] _bytesSent = new long[LaneClasses.Count];
    private readonly long[] _messagesReceived = new long[LaneClasses.Count];
    private readonly long[] _bytesReceived = new long[LaneClasses.Count];
    private long _allSent;
    private long _allReceived;
    private long _liveBuffers;
    private long _reaped;
    private long _failed;
    private long _late;
    private long _broken;
    private long _refused;

    public void Sent(LaneClass laneClass, int messages, int bytes)
    {
        Interlocked.Add(ref _messagesSent[(int)laneClass], messages);
        Interlocked.Add(ref _bytesSent[(int)laneClass], bytes);
    }

    public void Received(LaneClass laneClass, int messages, int bytes)
    {
        Interlocked.Add(ref _messagesReceived[(int)laneClass], messages);
        Interlocked.Add(ref _bytesReceived[(int)laneClass], bytes);
    }

    public void BytesWritten(long bytes) => Interlocked.Add(ref _allSent, bytes);

    public void BytesRead(long bytes) => Interlocked.Add(ref _allReceived, bytes);

    public void AddLiveBuffers(int count) => Interlocked.Add(ref _liveBuffers, count);

    public void Reaped() => Interlocked.Increment(ref _reaped);

    public void Failed() => Interlocked.Increment(ref _failed);

    public void LateResponse() => Interlocked.Increment(ref _late);

    public void Broken() => Interlocked.Increment(ref _broken);

    public void Refused() => Interlocked.Increment(ref _refused);

    public LaneStatistics Read(int connections, IReadOnlyCollection<(int Queued, long QueuedBytes, int Unsettled, int Unanswered)> queues) => new(
        [.. Enum.GetValues<LaneClass>().Select(c => new LaneTraffic(
            c,
            Interlocked.Read(ref _messagesSent[(int)c]),
            Interlocked.Read(ref _bytesSent[(int)c]),
            Interlocked.Read(ref _messagesReceived[(int)c]),
            Interlocked.Read(ref _bytesReceived[(int)c])))],
        Interlocked.Read(ref _allSent),
        Interlocked.Read(ref _allReceived),
        connections,
        queues.Sum(q => q.Queued),
        queues.Sum(q => q.QueuedBytes),
        queues.Sum(q => q.Unsettled),
        queues.Sum(q => q.Unanswered),
        Interlocked.Read(ref _liveBuffers),
        Interlocked.Read(ref _reaped),
        Interlocked.Read(ref _failed),
        Interlocked.Read(ref _late),
        Interlocked.Read(ref _broken),
        Interlocked.Read(ref _refused));
}
