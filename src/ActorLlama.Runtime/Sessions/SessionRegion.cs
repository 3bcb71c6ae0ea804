using ActorLlama.Protocol;
using Akka.Cluster.Sharding;

namespace ActorLlama.Runtime.Sessions;

/// <summary>Region "sessions": entity id = session id.</summary>
internal sealed class SessionRegion() : HashCodeMessageExtractor(Shards)
{
    public const string Name = "sessions";
    private const int Shards = 30;

    /// <summary>The session that a client's message is for, or null when it is no such message.</summary>
    public static SessionId? SessionOf(object message) => message switch
    {
        SessionProtocol.Open m => m.Session,
        SessionProtocol.Acknowledge m => m.Session,
        SessionProtocol.Resume m => m.Session,
        SessionProtocol.Cancel m => m.Session,
        _ => null,
    };

    public override string? EntityId(object message) => (message is SessionProtocol.ClientLost lost ? lost.Session : SessionOf(message))?.Value;
}
