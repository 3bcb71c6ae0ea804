using System.Collections.Immutable;
using ActorLlama.Protocol;

namespace ActorLlama.Planning.Sessions;

/// <summary>
/// The stream from a session to its client: in order, resent until acknowledged, at most a window of tokens on their way. The end counts
/// as index Count of the stream: an acknowledgement of Count + 1 says that it arrived too. Tokens of a fast session go several to a message.
/// </summary>
internal sealed class ClientStream(SessionRequest request, SessionOptions options, ImmutableArray<GeneratedToken> generatedSoFar)
{
    private readonly List<GeneratedToken> _tokens = [.. generatedSoFar];
    private SessionProtocol.Finished? _finished;
    private int _acknowledged = generatedSoFar.Length;
    private int _sent = generatedSoFar.Length;
    private int _everSent = generatedSoFar.Length;
    private bool _endSent;
    private long _unansweredMs;
    private long? _sentMs;

    public IReadOnlyList<GeneratedToken> Tokens => _tokens;

    public string Client { get; private set; } = "";

    public void Add(GeneratedToken token) => _tokens.Add(token);

    public void End(SessionProtocol.Finished finished) => _finished = finished;

    /// <summary>From now on to this client, from this index.</summary>
    public void Attach(string client, int nextIndex)
    {
        Client = client;
        _acknowledged = _sent = Math.Min(nextIndex, _tokens.Count);
        _endSent = false;
        _sentMs = null;
    }

    /// <summary>Keeps the place, but sends what is unacknowledged to this client.</summary>
    public void Attach(string client) => Attach(client, _acknowledged);

    /// <summary>True when the client has everything, the end too.</summary>
    public bool Acknowledge(int nextIndex, long now)
    {
        var arrived = Math.Min(nextIndex, _everSent);
        if (arrived > _acknowledged)
        {
            _acknowledged = arrived;
            _sent = Math.Max(_sent, _acknowledged);
            _unansweredMs = now;
        }

        return _finished is not null && nextIndex > _tokens.Count;
    }

    /// <summary>What the window has room for, unless others were sent a moment ago; the end once all tokens are on their way.</summary>
    public IEnumerable<SessionEffect> Send(long now)
    {
        var until = Math.Min(_tokens.Count, _acknowledged + options.WindowTokens);
        if (_sent == _acknowledged && !_endSent)
            _unansweredMs = now;
        if (_sent < until && (_finished is not null || !(now - _sentMs < options.StreamMs)))
        {
            var part = _tokens.GetRange(_sent, until - _sent);
            yield return ToClient(new SessionProtocol.Tokens(
                request.Session, request.Epoch, _sent, [.. part.Select(t => t.Id)], [.. part.Select(t => t.Text)],
                request.LogProbs is not null && part.TrueForAll(t => t.LogProbs is not null) ? [.. part.Select(t => t.LogProbs!)] : null));
            _sent = until;
            _sentMs = now;
            _everSent = Math.Max(_everSent, _sent);
        }

        if (_finished is null || _endSent || _sent < _tokens.Count)
            yield break;
        _endSent = true;
        yield return ToClient(_finished);
    }

    /// <summary>What waited for more to come; and everything unacknowledged again, when it has been so for long.</summary>
    public IEnumerable<SessionEffect> Tick(long now)
    {
        if ((_sent != _acknowledged || _endSent) && now - _unansweredMs >= options.ResendMs)
        {
            _sent = _acknowledged;
            _endSent = false;
        }

        return Send(now);
    }

    public SessionEffect.ToClient ToClient(IClusterMessage message) => new(Client, message);
}
