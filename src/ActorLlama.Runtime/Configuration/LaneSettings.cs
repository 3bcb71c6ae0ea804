using ActorLlama.Runtime.Lanes;

namespace ActorLlama.Runtime.Configuration;

/// <summary>Binds the lane's bounds and times.</summary>
internal static class LaneSettings
{
    private const string Root = "actorllama.lane.";

    public static LaneOptions Read(Setting setting) => new()
    {
        Host = setting.Text("actorllama.cluster.host"),
        Port = setting.Number(Root + "port", 0, 65535),
        HeartbeatInterval = setting.Time(Root + "heartbeat-interval"),
        HeartbeatDeadline = setting.Time(Root + "heartbeat-deadline"),
        HandshakeTimeout = setting.Time(Root + "handshake-timeout"),
        ConnectTimeout = setting.Time(Root + "connect-timeout"),
        ChunkBytes = (int)Math.Min(1 << 20, setting.Bytes(Root + "chunk-bytes")),
        MaxMessageBytes = (int)Math.Min(int.MaxValue, setting.Bytes(Root + "max-message-bytes")),
        RequestWindowMessages = setting.Number(Root + "request-window-messages", 1, 1 << 20),
        RequestWindowBytes = setting.Bytes(Root + "request-window-bytes"),
        MaxQueuedMessages = setting.Number(Root + "max-queued-messages", 1, 1 << 20),
        MaxQueuedBytes = setting.Bytes(Root + "max-queued-bytes"),
        MaxConnections = setting.Number(Root + "max-connections", 1, 1 << 16),
    };
}
