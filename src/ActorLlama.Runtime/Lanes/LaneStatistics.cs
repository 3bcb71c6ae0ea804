using System.Collections.Immutable;

namespace ActorLlama.Runtime.Lanes;

/// <summary>Totals of a node's lane since its start, by class where a class is known, and what is pending now.</summary>
internal sealed record LaneStatistics(
    ImmutableArray<LaneTraffic> Classes,
    long BytesSent,
    long BytesReceived,
    int Connections,
    int QueuedMessages,
    long QueuedBytes,
    int CreditsOutstanding,
    int UnansweredRequests,
    long LiveBuffers,
    long ReapedPayloads,
    long FailedMessages,
    long LateResponses,
    long BrokenConnections,
    long RefusedHandshakes);

/// <summary>Messages and their bytes (headers and payloads) of one class, by messages begun.</summary>
internal sealed record LaneTraffic(
    LaneClass Class, long MessagesSent, long BytesSent, long MessagesReceived, long BytesReceived);
