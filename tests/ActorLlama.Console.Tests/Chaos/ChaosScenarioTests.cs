using System.Collections.Immutable;
using ActorLlama.TestKit;
using ActorLlama.Trust;

namespace ActorLlama.Cli.Tests;

public sealed class ChaosScenarioTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Every_scenario_that_has_a_name_is_without_fault() =>
        Assert.All(ChaosScenarios.All.Values.SelectMany(s => s), scenario => Assert.Null(scenario.Fault()));

    [Fact]
    public void A_file_may_hold_one_scenario_or_several()
    {
        const string one = """{ "name": "mine", "nodes": 4, "roles": { "4": ["control"] }, "faults": [ { "do": "freeze", "role": "later-stage", "when": "prefill", "bound-ms": 300 } ] }""";
        var scenario = Assert.Single(Read(one));
        Assert.Equal(new ChaosFault { Do = ChaosDeed.Freeze, Role = ChaosRole.LaterStage, When = ChaosPhase.Prefill, BoundMs = 300 }, Assert.Single(scenario.Faults));
        var settings = scenario.ClusterOptions("models", null, null, null).SettingsOf(3, "seed");
        Assert.Contains("actorllama.node.roles=[control]", settings);
        Assert.Equal(2, Read($"[{one}, {one}]").Length);
    }

    [Theory]
    [InlineData("""{ "name": "x", "faults": [] }""", "faults is empty")]
    [InlineData("""{ "name": "x", "nodes": 1, "faults": [ {} ] }""", "nodes is 1")]
    [InlineData("""{ "name": "x", "faults": [ { "bound-ms": 0 } ] }""", "bound-ms is 0")]
    [InlineData("""{ "name": "x", "faults": [ { "do": "cut" } ] }""", "needs hosts")]
    [InlineData("""{ "name": "x", "roles": { "9": ["trunk"] }, "faults": [ {} ] }""", "roles names node 9")]
    [InlineData("""{ "name": "x", "faults": [ { "do": "stall" } ] }""", "needs hosts")]
    [InlineData("""{ "name": "x", "faults": [ { "times": 0 } ] }""", "times is 0")]
    [InlineData("""{ "name": "x", "faults": [ { "times": 2, "when": "prefill" } ] }""", "times is 2 with when Prefill")]
    [InlineData("""{ "name": "x", "faults": [ { "do": "starve", "burst": 0 } ] }""", "burst is 0")]
    [InlineData("""{ "name": "x", "faults": [ { "do": "starve", "burst-prompt-tokens": 0 } ] }""", "burst-prompt-tokens is 0")]
    [InlineData("""{ "name": "x", "fault": [] }""", "fault")]
    [InlineData("""{ "name": "x", "faults": [ { "do": "shout" } ] }""", "do")]
    public void What_is_wrong_with_a_scenario_is_said(string json, string fault) =>
        Assert.Contains(fault, Assert.Throws<InvalidDataException>(() => Read(json)).Message, StringComparison.Ordinal);

    [Fact]
    public void An_unknown_name_is_answered_with_the_known_ones() =>
        Assert.Contains("\"kill-each-role\"", Assert.Throws<InvalidDataException>(() => ChaosScenarios.Find("kill-everybody")).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData(false, "127.0.0.1")]
    [InlineData(true, "10.77.0.2")]
    public void With_tls_each_node_has_the_certificate_of_its_host_and_we_have_a_clients(bool hosts, string host)
    {
        var scenario = Assert.Single(Read($$"""{ "name": "x", "tls": true, "hosts": {{(hosts ? "true" : "false")}}, "faults": [ {} ] }"""));
        string folder;
        using (var certificates = new ChaosCertificates(scenario.Nodes))
        {
            var options = scenario.ClusterOptions("models", null, null, certificates);
            string[] settings = [.. options.SettingsOf(1, "seed")];
            folder = Assert.Single(settings, s => s.StartsWith("actorllama.security.certificates=", StringComparison.Ordinal)).Split('=')[1];
            using var node = ClusterCredentials.LoadNode(folder, host, TimeProvider.System);
            Assert.DoesNotContain(settings, s => s.Contains("plaintext", StringComparison.Ordinal));
            Assert.Equal(hosts, settings.Contains($"actorllama.cluster.host={host}"));
            using var client = ClusterCredentials.Load(options.Certificates!, TimeProvider.System);
            Assert.Contains("is a client's", Assert.Throws<InvalidDataException>(() => ClusterCredentials.LoadNode(options.Certificates!, host, TimeProvider.System)).Message, StringComparison.Ordinal);
        }

        Assert.False(Directory.Exists(folder));
        Assert.Equal("x, with certificates", scenario.Title);
    }

    [Fact]
    public void Hosts_without_certificates_say_that_they_are_plain()
    {
        var options = Assert.Single(Read("""{ "name": "x", "hosts": true, "faults": [ {} ] }""")).ClusterOptions("models", null, null, null);
        Assert.Contains("actorllama.cluster.allow-plaintext=on", options.SettingsOf(1, "seed"));
        Assert.Null(options.Certificates);
    }

    [Fact]
    public void Tokens_that_differ_are_told_from_the_first_on()
    {
        Assert.Null(ChaosInvariants.Difference([1, 2, 3], [1, 2, 3]));
        Assert.Equal("3 tokens, of which the first 1 of 3 are right", ChaosInvariants.Difference([1, 2, 3], [1, 9, 3]));
        Assert.Equal("2 tokens, of which the first 2 of 3 are right", ChaosInvariants.Difference([1, 2, 3], [1, 2]));
        Assert.Equal("4 tokens, of which the first 3 of 3 are right", ChaosInvariants.Difference([1, 2, 3], [1, 2, 3, 3]));
    }

    [Fact]
    public void Every_role_is_met_in_every_phase()
    {
        var met = ChaosScenarios.All.Values.SelectMany(s => s).SelectMany(s => s.Faults).Where(f => f.Do == ChaosDeed.Kill).Select(f => (f.When, f.Role)).ToHashSet();
        ChaosRole[] roles = [ChaosRole.Expert, ChaosRole.Stage, ChaosRole.LaterStage, ChaosRole.Supervisor, ChaosRole.Session, ChaosRole.Contact];
        foreach (var phase in Enum.GetValues<ChaosPhase>())
            foreach (var role in roles)
                Assert.True(met.Contains((phase, role)) || IsLost(phase, role), $"{role} in {phase}");

        // Stage 0 is what was lost just before; of the stages that are loaded then the target is killed.
        static bool IsLost(ChaosPhase phase, ChaosRole role) => (phase, role) is (ChaosPhase.Replanning or ChaosPhase.Loading, ChaosRole.Stage);
    }

    [Fact]
    public void Alarms_count_where_nobody_may_be_lost_and_their_want_where_somebody_must_be_named()
    {
        string[] quiet = ["State: Ready: all 3 parts of the model are loaded"];
        string[] loud = [.. quiet, "Lost: nothing was heard of it for too long"];
        Assert.Empty(ChaosInvariants.BrokenByHistory(new ChaosFault { Do = ChaosDeed.Burn }, quiet));
        Assert.Contains("nothing was heard", Assert.Single(ChaosInvariants.BrokenByHistory(new ChaosFault { Do = ChaosDeed.Burn }, loud)), StringComparison.Ordinal);
        Assert.Empty(ChaosInvariants.BrokenByHistory(new ChaosFault(), loud));
        Assert.Single(ChaosInvariants.BrokenByHistory(new ChaosFault { Do = ChaosDeed.Stall }, quiet));
        Assert.Empty(ChaosInvariants.BrokenByHistory(new ChaosFault { Do = ChaosDeed.Stall }, ["Fault: its lanes stand still: it is not used"]));
    }

    [Fact]
    public void A_node_without_memory_counts_when_its_device_said_so_or_its_process_ended()
    {
        var starve = new ChaosFault { Do = ChaosDeed.Starve };
        string[] quiet = ["State: Ready: all 3 parts of the model are loaded", "warn scheduler-0-1: Batch 1 attempt 1 failed: Failed Stage 0: it is out of memory: no more"];
        Assert.Contains("does not count", Assert.Single(ChaosInvariants.BrokenByHistory(starve, quiet)), StringComparison.Ordinal);
        Assert.Empty(ChaosInvariants.BrokenByHistory(starve, [.. quiet, "Fault: device \"cpu:0\" is not used: it ran out of memory 3 times within a minute while it computed: no more"]));
        Assert.Empty(ChaosInvariants.BrokenByHistory(starve, [.. quiet, "Lost: its process is gone: its ports refused connections"]));
        Assert.Empty(ChaosInvariants.BrokenByHistory(new ChaosFault(), quiet));
    }

    [Fact]
    public void The_burst_of_a_fault_is_a_load_of_its_own_on_the_same_cluster()
    {
        var scenario = Assert.Single(Read("""{ "name": "x", "sessions": 3, "tokens": 50, "faults": [ { "do": "starve", "burst": 5, "burst-prompt-tokens": 70 } ] }"""));
        var burst = scenario.Burst(Assert.Single(scenario.Faults));
        Assert.Equal((5, 70, 20, scenario.Nodes), (burst.Sessions, burst.PromptTokens, burst.Tokens, burst.Nodes));
        Assert.True(scenario.Faults[0].IsLasting);
    }

    [Fact]
    public void Memory_is_flat_when_the_last_quarter_holds_what_the_one_before_does()
    {
        Assert.Empty(MemoryRules.Faults([.. Enumerable.Range(0, 20).Select(i => Sample(i, 100 + (i < 10 ? -10 : i % 3)))]));
        Assert.Contains("private bytes grew", Assert.Single(MemoryRules.Faults([.. Enumerable.Range(0, 20).Select(i => Sample(i, 100 + (2 * i)))])), StringComparison.Ordinal);
        Assert.Contains("left at rest", Assert.Single(MemoryRules.Faults([.. Enumerable.Range(0, 20).Select(i => Sample(i, 100) with { Waiting = i == 7 ? 1 : 0 })])), StringComparison.Ordinal);
        Assert.Contains("handles grew", Assert.Single(MemoryRules.Faults([.. Enumerable.Range(0, 20).Select(i => Sample(i, 100) with { Handles = i })])), StringComparison.Ordinal);

        static MemorySample Sample(int at, long bytes) => new(at, 0, 0, 0, 0, 10, bytes, bytes);
    }

    private ImmutableArray<ChaosScenario> Read(string json)
    {
        var file = _folder.PathOf("scenario.json");
        File.WriteAllText(file, json);
        return ChaosScenarios.Find(file);
    }
}
