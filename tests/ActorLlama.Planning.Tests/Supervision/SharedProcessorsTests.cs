using ActorLlama.Planning.Supervision;
using ActorLlama.Protocol;

namespace ActorLlama.Planning.Tests.Supervision;

/// <summary>How many devices of a pipeline compute at the same time.</summary>
public sealed class SharedProcessorsTests
{
    [Theory]
    // One host of two processors: a device; two with a thread each; three; one with as many threads as processors beside another.
    [InlineData("1", "a:1:2")]
    [InlineData("2", "a:1:2 a:1:2")]
    [InlineData("1", "a:1:2 a:1:2 a:1:2")]
    [InlineData("1", "a:2:2 a:1:2")]
    // Two hosts: one shares its processors, the other does not.
    [InlineData("3", "a:2:2 a:2:2 b:1:2 b:1:2")]
    // GPUs have their own; who does not tell is taken to have them, too.
    [InlineData("4", "a:0:2 a:0:2 a:2:2 a:2:2 a:0:2")]
    [InlineData("2", "a:4:0 a:4:0")]
    // All loopback addresses are one machine.
    [InlineData("1", "127.0.0.1:1:2 127.0.0.2:1:2 127.0.0.3:1:2")]
    public void Devices_with_more_threads_than_their_machine_has_processors_count_as_one(string expected, string devices)
    {
        NodeProtocol.Offer[] offers = [.. devices.Split(' ').Select((device, i) => Offer(i, device.Split(':')))];
        var plan = new PlacementPlan(
            1, [new(0, 0, 0, 4, new(offers[0].Node, "cpu:0"), 1, 1)], [.. offers.Select((o, i) => new ShardPlacement(i, 0, i, 1, new(o.Node, "cpu:0"), 1, 1))], offers.Length, [1]);
        Assert.Equal(expected, Assert.Single(SharedProcessors.DevicesAtOnce(plan, offers)).ToString());
    }

    [Fact]
    public void Each_pipeline_has_its_own_stages_and_all_experts()
    {
        NodeProtocol.Offer[] offers = [Offer(0, ["a", "1", "4"]), Offer(1, ["a", "1", "4"]), Offer(2, ["a", "4", "4"])];
        DeviceId On(int node) => new(offers[node].Node, "cpu:0");
        var plan = new PlacementPlan(1, [new(0, 0, 0, 4, On(0), 1, 1), new(1, 0, 0, 4, On(2), 1, 1)], [new(0, 0, 0, 1, On(1), 1, 1)], 1, [1, 1]);
        Assert.Equal([2, 1], SharedProcessors.DevicesAtOnce(plan, offers).AsEnumerable());
    }

    private static NodeProtocol.Offer Offer(int number, string[] device) => new(
        new NodeId($"akka.tcp://actorllama@{device[0]}:{4000 + number}", number), $"node-{number}", [], [new("cpu:0", 1, null, int.Parse(device[1]))], new(device[0], 1),
        new(1, "", ""), null!, 0, [], [], new(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0), [], [], Processors: int.Parse(device[2]));
}
