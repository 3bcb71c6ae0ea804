using System.Text.Json;
using ActorLlama.Runtime.Configuration;
using Akka.Event;

namespace ActorLlama.Runtime.Tests.Configuration;

public sealed class LogLineTests() : Akka.TestKit.Xunit2.TestKit("akka.loglevel = INFO")
{
    [Fact]
    public async Task An_event_is_a_line_for_people_or_one_with_its_values()
    {
        Sys.EventStream.Subscribe(TestActor, typeof(LogEvent));
        Logging.GetLogger(Sys, "supervisor").Warning(new InvalidDataException("two\nlines"), "Cluster is {State}: {Nodes} nodes", "Ready", 3);
        var e = await ExpectMsgAsync<Warning>();
        Assert.Matches(@"^[0-9:.]{12} warn supervisor: Cluster is Ready: 3 nodes: InvalidDataException: two lines$", LogLine.Text(e));
        Assert.EndsWith("two lines (7 more like it were not written)", LogLine.Text(e, held: 7), StringComparison.Ordinal);
        Assert.Contains("\"held\":7", LogLine.Json(e, held: 7), StringComparison.Ordinal);
        Logging.GetLogger(Sys, "supervisor").Warning("one\n\n  - two\n");
        Assert.EndsWith("supervisor: one - two", LogLine.Text(await ExpectMsgAsync<Warning>()), StringComparison.Ordinal);
        using var json = JsonDocument.Parse(LogLine.Json(e));
        var root = json.RootElement;
        Assert.Equal("Cluster is {State}: {Nodes} nodes", root.GetProperty("event").GetString());
        Assert.Equal("Cluster is Ready: 3 nodes", root.GetProperty("message").GetString());
        Assert.Equal(("Ready", 3), (root.GetProperty("values").GetProperty("State").GetString(), root.GetProperty("values").GetProperty("Nodes").GetInt32()));
        Assert.Equal("InvalidDataException: two lines", root.GetProperty("cause").GetString());
        Assert.DoesNotContain('\n', LogLine.Json(e));
    }
}
