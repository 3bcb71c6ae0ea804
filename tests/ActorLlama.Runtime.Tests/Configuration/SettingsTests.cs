using ActorLlama.Model;
using ActorLlama.Runtime.Configuration;
using ActorLlama.TestKit;

namespace ActorLlama.Runtime.Tests.Configuration;

public sealed class SettingsTests
{
    private static NodeOptions Read(params string[] overrides) =>
        NodeOptionsReader.Read(HoconFiles.Load(null, ["actorllama.model.path=models/bard", .. overrides]));

    [Fact]
    public void Defaults_are_valid_once_a_model_is_named()
    {
        var options = Read();
        Assert.Equal("models/bard", options.Model.Path);
        Assert.Equal(ActivationType.Float32, options.Model.Dtype);
        var device = Assert.Single(options.Devices);
        Assert.Equal(("cpu:0", BackendKind.Cpu), (device.Name, device.Backend));
        Assert.True(device.MemoryBytes > 0 && device.Threads >= 1);
        Assert.Null(options.Supervisor.Plan.Stages);
        Assert.Null(options.Supervisor.Plan.ExpertShards);
    }

    [Theory]
    [MemberData(nameof(ShippedFiles))]
    public void Every_shipped_file_is_valid(string file) =>
        Assert.NotEmpty(NodeOptionsReader.Read(HoconFiles.Load(Path.Combine(Shared.RepositoryRoot, "config", file), [])).Devices);

    /// <summary>
    /// A node that is cut off sees all others fall silent, one after the other within a heartbeat's and a reaper's interval: before it has seen the last, its resolver would take itself for
    /// the majority's side.
    /// </summary>
    [Theory]
    [MemberData(nameof(ShippedFiles))]
    public void The_resolver_waits_until_all_that_fell_silent_at_once_are_seen(string file)
    {
        var cluster = NodeOptionsReader.Read(HoconFiles.Load(Path.Combine(Shared.RepositoryRoot, "config", file), [])).Akka.GetConfig("akka.cluster");
        Assert.Contains(nameof(Akka.Remote.DeadlineFailureDetector), cluster.GetString("failure-detector.implementation-class"), StringComparison.Ordinal);
        TimeSpan Of(string key) => cluster.GetTimeSpan(key);
        Assert.True(Of("split-brain-resolver.stable-after") > Of("failure-detector.heartbeat-interval") + Of("unreachable-nodes-reaper-interval"));
    }

    /// <summary>Those of nodes: train.conf holds flags alone, which <c>TrainRulesTests</c> reads.</summary>
    public static TheoryData<string> ShippedFiles =>
        [.. Directory.GetFiles(Path.Combine(Shared.RepositoryRoot, "config"), "*.conf").Select(f => Path.GetFileName(f)!).Where(f => f is not ("reference.conf" or "train.conf"))];

    [Fact]
    public void An_argument_wins_over_the_file()
    {
        var file = Path.Combine(Shared.RepositoryRoot, "config", "local-3.conf");
        var options = NodeOptionsReader.Read(HoconFiles.Load(file, ["actorllama.plan.nodes=5", "actorllama.cluster.seeds=[\"akka.tcp://actorllama@127.0.0.1:1234\"]"]));
        Assert.Equal(5, options.Supervisor.ExpectedNodes);
        Assert.Equal("akka.tcp://actorllama@127.0.0.1:1234", Assert.Single(options.Cluster.Seeds));
    }

    [Fact]
    public void Values_with_path_and_address_characters_need_no_quotes() =>
        Assert.Equal("/data/my models/a+b", Read("actorllama.model.path=/data/my models/a+b").Model.Path);

    [Fact]
    public void List_items_need_no_quotes_on_the_command_line() =>
        Assert.Equal(["cpu:0", "cpu:1"], Read("actorllama.node.devices=[cpu:0, cpu:1]").Devices.Select(d => d.Name));

    [Fact]
    public void Devices_may_be_objects_that_override_the_defaults()
    {
        var options = Read("actorllama.node.devices=[ { device = \"cpu:0\", memory = \"2GiB\", threads = 3 }, \"cuda:1\" ]", "actorllama.node.device-defaults.memory=1GiB");
        Assert.Equal(new DeviceOptions("cpu:0", BackendKind.Cpu, 2L << 30, 3, TimeSpan.FromMinutes(1)), options.Devices[0]);
        Assert.Equal(("cuda:1", BackendKind.Torch, 1L << 30), (options.Devices[1].Name, options.Devices[1].Backend, options.Devices[1].MemoryBytes));
    }

    [Theory]
    [InlineData("actorllama.plan.stagse=2", "actorllama.plan.stagse", "actorllama.plan.stages")]
    [InlineData("actorllama.sheduler.max-waiting=2", "actorllama.sheduler.max-waiting", "actorllama.scheduler.max-waiting")]
    public void A_key_that_does_not_exist_is_an_error_with_the_nearest_name(string argument, string key, string nearest)
    {
        var e = Assert.Throws<InvalidDataException>(() => Read(argument));
        Assert.Contains($"\"{key}\"", e.Message);
        Assert.Contains($"\"{nearest}\"", e.Message);
    }

    [Theory]
    [InlineData("actorllama.plan.nodes=none", "actorllama.plan.nodes", "none")]
    [InlineData("actorllama.plan.nodes=0", "actorllama.plan.nodes", "0")]
    [InlineData("actorllama.node.placement=numa", "actorllama.node.placement", "numa")]
    [InlineData("actorllama.model.dtype=float16", "actorllama.model.dtype", "float16")]
    [InlineData("actorllama.model.weight-memory=disk", "actorllama.model.weight-memory", "disk")]
    [InlineData("actorllama.model.load-rate=slow", "actorllama.model.load-rate", "slow")]
    [InlineData("actorllama.model.numerics=any", "actorllama.model.numerics", "any")]
    [InlineData("actorllama.node.devices=[{device=\"cpu:0\",deterministic=maybe}]", "deterministic of cpu:0", "maybe")]
    [InlineData("actorllama.model.weight-dtype=int4", "actorllama.model.weight-dtype", "int4")]
    [InlineData("actorllama.cluster.port=99999", "actorllama.cluster.port", "99999")]
    [InlineData("actorllama.node.roles=[trunk, cook]", "actorllama.node.roles", "cook")]
    [InlineData("actorllama.node.devices=[gpu0]", "actorllama.node.devices", "gpu0")]
    [InlineData("actorllama.node.devices=[]", "actorllama.node.devices", "[]")]
    [InlineData("actorllama.cluster.host=10.1.2.3", "actorllama.cluster.host", "10.1.2.3")]
    [InlineData("actorllama.session.fail-after=soon", "actorllama.session.fail-after", "soon")]
    [InlineData("actorllama.lane.max-message-bytes=big", "actorllama.lane.max-message-bytes", "big")]
    public void A_value_that_breaks_its_rule_is_named(string argument, string key, string value)
    {
        var e = Assert.Throws<InvalidDataException>(() => Read(argument));
        Assert.Contains(key, e.Message);
        Assert.Contains($"\"{value}\"", e.Message);
    }

    [Fact]
    public void All_faults_are_listed_at_once()
    {
        var e = Assert.Throws<InvalidDataException>(() => Read("actorllama.plan.nodes=x", "actorllama.model.dtype=y"));
        Assert.Contains("actorllama.plan.nodes", e.Message);
        Assert.Contains("actorllama.model.dtype", e.Message);
    }

    [Theory]
    [InlineData("just-a-word")]
    [InlineData("=5")]
    public void An_argument_that_is_no_pair_is_an_error(string argument) =>
        Assert.Contains(argument, Assert.Throws<InvalidDataException>(() => Read(argument)).Message);

    [Theory]
    [InlineData("actorllama { plan { nodes = 3 }")]
    [InlineData("actorllama { plan.nodes = 3 ] }")]
    [InlineData("actorllama.model.path = \"models")]
    [InlineData("actorllama : { plan } ,")]
    public void A_file_that_is_cut_off_or_garbled_is_an_error(string hocon)
    {
        var file = Path.GetTempFileName();
        try
        {
            File.WriteAllText(file, hocon);
            Assert.Contains("not valid HOCON", Assert.Throws<InvalidDataException>(() => HoconFiles.Load(file, [])).Message);
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Fact]
    public void A_file_that_does_not_exist_is_named() =>
        Assert.Contains("no-such.conf", Assert.Throws<InvalidDataException>(() => HoconFiles.Load("no-such.conf", [])).Message);
}
