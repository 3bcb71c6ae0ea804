namespace ActorLlama.Cli.Tests;

public sealed class DeviceListTests
{
    private const long GiB = 1L << 30;

    [Theory]
    [InlineData("80GiB", "1:1")]
    [InlineData("4x80GiB", "1:4")]
    [InlineData("16x80GiB", "1:8 2:8")]
    [InlineData("2x16x80GiB", "1:16 2:16")]
    [InlineData("3x1x20GiB, 10x40GiB", "1:1 2:1 3:1 4:8 5:2")]
    public void A_part_makes_nodes_of_eight_devices_unless_it_says_how_many(string list, string nodes)
    {
        var devices = DeviceList.Parse(list);
        Assert.Equal(nodes, string.Join(' ', devices.GroupBy(d => d.Id.Node.Uid).Select(n => $"{n.Key}:{n.Count()}")));
        Assert.Equal(devices.Length, devices.Select(d => d.Id).Distinct().Count());
        Assert.All(devices, d => Assert.Equal((d.NodeName, true, true), (d.Host, d.Trunk, d.Experts)));
    }

    [Fact]
    public void Memory_and_roles_are_those_of_the_part()
    {
        var devices = DeviceList.Parse("1.5GiB:trunk,2x40gib:experts,1x1x80GB:trunk+experts");
        Assert.Equal(
            [(3 * GiB / 2, true, false), (40 * GiB, false, true), (40 * GiB, false, true), (80_000_000_000, true, true)],
            devices.Select(d => (d.MemoryBytes, d.Trunk, d.Experts)));
    }

    [Theory]
    [InlineData("")]
    [InlineData("8")]
    [InlineData("8x")]
    [InlineData("0x80GiB")]
    [InlineData("-1x80GiB")]
    [InlineData("8x80PiB")]
    [InlineData("8x80GiB:cook")]
    [InlineData("8x80GiB,")]
    [InlineData("2x2x2x80GiB")]
    [InlineData("99999999999x80GiB")]
    [InlineData("4097x80GiB")]
    public void Anything_else_is_refused_with_what_was_found(string list)
    {
        var fault = Assert.Throws<InvalidDataException>(() => DeviceList.Parse(list));
        Assert.StartsWith("Devices: \"", fault.Message, StringComparison.Ordinal);
        Assert.Contains("8x80GiB", fault.Message, StringComparison.Ordinal);
    }
}
