using ActorLlama.Runtime.Configuration;
using ActorLlama.Runtime.Lanes;
using Akka.Event;

namespace ActorLlama.Runtime.Tests.Configuration;

public sealed class RefusalLogTests
{
    private static readonly Type s_port = typeof(Akka.Remote.RemoteSettings).Assembly.GetType("Akka.Remote.Transport.DotNetty.TcpServerHandler", throwOnError: true)!;
    private static readonly DateTime s_begin = new(2026, 11, 27);
    private readonly RefusalLog _log = new();

    [Fact]
    public void A_peer_that_is_refused_again_and_again_is_told_of_once_a_minute_with_how_often_it_was()
    {
        Assert.Equal(0, Take(0, s_port, Rejected("10.0.0.1", 40_001)));
        for (var i = 1; i < 60; i++) Assert.Null(Take(i, s_port, Rejected("10.0.0.1", 40_001 + i)));
        Assert.Equal(59, Take(60, s_port, Rejected("10.0.0.1", 41_000)));
        Assert.Null(Take(119, s_port, Rejected("10.0.0.1", 41_001)));
        Assert.Equal(1, Take(120, s_port, Rejected("10.0.0.1", 41_002)));
    }

    [Fact]
    public void Another_host_and_another_reason_have_lines_of_their_own()
    {
        Assert.Equal(0, Take(0, s_port, Rejected("10.0.0.1", 1)));
        Assert.Equal(0, Take(1, s_port, Rejected("10.0.0.2", 1)));
        Assert.Equal(0, Take(2, s_port, "Error caught channel [[::ffff:10.0.0.9]:4053->[::ffff:10.0.0.1]:7](Id=78b1d090): not a record: 31000000122f0801122b0a200a0a"));
        Assert.Null(Take(3, s_port, "Error caught channel [[::ffff:10.0.0.9]:4053->[::ffff:10.0.0.1]:8](Id=67ad1011): not a record: 9f000000122f0801122b0a"));
    }

    [Fact]
    public void All_else_is_written_always()
    {
        for (var i = 0; i < 3; i++)
        {
            Assert.Equal(0, Take(0, typeof(RefusalLogTests), "Cluster is Degraded"));
            Assert.Equal(0, Take(0, typeof(Lane), "Lane with a ended: silent"));
            Assert.Equal(0, _log.Take(new Info("port", s_port, "A connection"), s_begin));
        }
    }

    [Fact]
    public void The_lane_tells_of_who_is_refused_like_the_port()
    {
        Assert.Equal(0, Take(0, typeof(Lane), "Lane connection from 10.0.0.1:40 (Main) ended: it is refused"));
        Assert.Null(Take(1, typeof(Lane), "Lane connection from 10.0.0.1:41 (Main) ended: it is refused"));
        Assert.Equal(0, Take(1, typeof(Lane), "Lane refused 10.0.0.1:42 (Version): it has another"));
        Assert.Null(Take(2, typeof(Lane), "Lane refused 10.0.0.1:43 (Version): it has another"));
    }

    [Fact]
    public void Any_number_of_hosts_is_few_lines()
    {
        var written = Enumerable.Range(0, 4 * RefusalLog.MostKinds).Count(i => Take(1, s_port, Rejected($"10.0.{i / 200}.{i % 200}", 1)) is not null);
        Assert.Equal(RefusalLog.MostKinds + 1, written);
        // A minute later all are forgotten.
        Assert.Equal(0, Take(70, s_port, Rejected("10.9.9.9", 1)));
    }

    private int? Take(int second, Type source, string text) => _log.Take(new Warning("port", source, text), s_begin.AddSeconds(second));

    private static string Rejected(string host, int port) => $"Rejected incoming connection from [[::ffff:{host}]:{port}] due to TLS handshake failure.";
}
