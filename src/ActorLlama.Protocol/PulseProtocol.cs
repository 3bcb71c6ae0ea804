using MessagePack;

namespace ActorLlama.Protocol;

/// <summary>
/// On the lane, between whoever waits for a device and the device: whether it is at work. A device that computes cannot answer what it is
/// asked to compute next; this it can.
/// </summary>
public static class PulseProtocol
{
    /// <summary>Answered by <see cref="Pulse"/>, to <paramref name="ReplyTo"/>.</summary>
    [MessagePackObject]
    public sealed record Ask([property: Key(0)] LaneTarget ReplyTo) : ILaneMessage;

    /// <summary><paramref name="IsBusy"/>: it computes now or did just now, and is not stuck; what waits for it will be done.</summary>
    [MessagePackObject]
    public sealed record Pulse([property: Key(0)] LaneTarget Device, [property: Key(1)] bool IsBusy) : ILaneMessage;
}
