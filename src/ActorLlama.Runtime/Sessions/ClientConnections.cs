using ActorLlama.Protocol;
using Akka.Actor;

namespace ActorLlama.Runtime.Sessions;

/// <summary>Which sessions came in over the connection of which client.</summary>
internal sealed class ClientConnections
{
    private readonly Dictionary<Address, Dictionary<SessionId, (string Client, long HeardMs)>> _sessions = [];

    /// <param name="tunnel">
    /// Name of the actor that the receptionist makes for each client: its path with its address, escaped. Without an address there the end of
    /// its connection goes unnoticed, and its silence has to do.
    /// </param>
    /// <param name="session">Its session.</param>
    /// <param name="client">What the session knows the client by.</param>
    /// <param name="now">Milliseconds.</param>
    public void Hear(string tunnel, SessionId session, string client, long now)
    {
        if (!ActorPath.TryParse(Uri.UnescapeDataString(tunnel), out var path) || !path.Address.HasGlobalScope) return;
        if (!_sessions.TryGetValue(path.Address, out var sessions)) _sessions[path.Address] = sessions = [];
        sessions[session] = (client, now);
    }

    /// <summary>The connection has ended: these sessions came over it.</summary>
    public IReadOnlyList<(SessionId Session, string Client)> Lose(Address address) =>
        _sessions.Remove(address, out var sessions) ? [.. sessions.Select(s => (s.Key, s.Value.Client))] : [];

    /// <summary>Sessions that were not heard of since then are over, or came another way.</summary>
    public void Forget(long since)
    {
        foreach (var (address, sessions) in _sessions.ToList())
        {
            foreach (var (session, heard) in sessions.ToList())
                if (heard.HeardMs < since) sessions.Remove(session);
            if (sessions.Count == 0) _sessions.Remove(address);
        }
    }
}
