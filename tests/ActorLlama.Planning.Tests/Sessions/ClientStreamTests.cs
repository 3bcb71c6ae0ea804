using ActorLlama.Planning.Sessions;
using ActorLlama.Protocol;

namespace ActorLlama.Planning.Tests.Sessions;

/// <summary>When tokens go to the client.</summary>
public sealed class ClientStreamTests
{
    private static readonly SessionRequest s_request = new(new SessionId("s"), 1, [5, 6, 7], 100, [99], new(0, 1, 0, 0), LogitsWanted.None, 100);

    private readonly ClientStream _stream = new(s_request, new SessionOptions { StreamMs = 25, ResendMs = 1000, WindowTokens = 8 }, []);

    public ClientStreamTests() => _stream.Attach("client");

    [Fact]
    public void Tokens_that_come_soon_after_others_go_with_those_that_follow()
    {
        Assert.Equal("0: 50", Add(50, 100));
        Assert.Equal("", Add(51, 110));
        Assert.Equal("", Add(52, 124));
        Assert.Equal("1: 51 52 53", Add(53, 125));
        Assert.Equal("4: 54", Add(54, 150));
    }

    [Fact]
    public void A_tick_sends_what_waits_when_none_follow()
    {
        Add(50, 100);
        Assert.Equal("", Add(51, 110));
        Assert.Equal("", Text(_stream.Tick(120)));
        Assert.Equal("1: 51", Text(_stream.Tick(130)));
        Assert.Equal("", Text(_stream.Tick(160)));
        Assert.Equal("0: 50 51", Text(_stream.Tick(1100)));
    }

    [Fact]
    public void The_end_waits_for_nothing()
    {
        Add(50, 100);
        _stream.Add(Token(51));
        _stream.End(new(s_request.Session, 1, 2, FinishReason.Stop, "", null, new(0, 0)));
        Assert.Equal("1: 51, end", Text(_stream.Send(101)));
    }

    [Fact]
    public void Who_attaches_hears_at_once()
    {
        Add(50, 100);
        Add(51, 110);
        _stream.Attach("client", 0);
        Assert.Equal("0: 50 51", Text(_stream.Send(111)));
    }

    private string Add(int id, long now)
    {
        _stream.Add(Token(id));
        return Text(_stream.Send(now));
    }

    private static GeneratedToken Token(int id) => new(id, $"<{id}>", "", false);

    private static string Text(IEnumerable<SessionEffect> effects) => string.Join(", ", effects.Cast<SessionEffect.ToClient>().Select(e => e.Message switch
    {
        SessionProtocol.Tokens tokens => $"{tokens.FirstIndex}: {string.Join(' ', tokens.Ids)}",
        _ => "end",
    }));
}
