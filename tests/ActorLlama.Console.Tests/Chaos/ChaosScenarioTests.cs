using System.Collections.Immutable;
using ActorLlama.TestKit;

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
        var settings = scenario.ClusterOptions("models", null, null).SettingsOf(3, "seed");
        Assert.Contains("actorllama.node.roles=[control]", settings);
        Assert.Equal(2, Read($"[{one}, {one}]").Length);
    }

    [Theory]
    [InlineData("""{ "name": "x", "faults": [] }""", "faults is empty")]
    [InlineData("""{ "name": "x", "nodes": 1, "faults": [ {} ] }""", "nodes is 1")]
    [InlineData("""{ "name": "x", "faults": [ { "bound-ms": 0 } ] }""", "bound-ms is 0")]
    [InlineData("""{ "name": "x", "faults": [ { "do": "cut" } ] }""", "needs hosts")]
    [InlineData("""{ "name": "x", "roles": { "9": ["trunk"] }, "faults": [ {} ] }""", "roles names node 9")]
    [InlineData("""{ "name": "x", "fault": [] }""", "fault")]
    [InlineData("""{ "name": "x", "faults": [ { "do": "shout" } ] }""", "do")]
    public void What_is_wrong_with_a_scenario_is_said(string json, string fault) =>
        Assert.Contains(fault, Assert.Throws<InvalidDataException>(() => Read(json)).Message, StringComparison.Ordinal);

    [Fact]
    public void An_unknown_name_is_answered_with_the_known_ones() =>
        Assert.Contains("\"kill-each-role\"", Assert.Throws<InvalidDataException>(() => ChaosScenarios.Find("kill-everybody")).Message, StringComparison.Ordinal);

    [Fact]
    public void Tokens_that_differ_are_told_from_the_first_on()
    {
        Assert.Null(ChaosInvariants.Difference([1, 2, 3], [1, 2, 3]));
        Assert.Equal("3 tokens, of which the first 1 of 3 are right", ChaosInvariants.Difference([1, 2, 3], [1, 9, 3]));
        Assert.Equal("2 tokens, of which the first 2 of 3 are right", ChaosInvariants.Difference([1, 2, 3], [1, 2]));
        Assert.Equal("4 tokens, of which the first 3 of 3 are right", ChaosInvariants.Difference([1, 2, 3], [1, 2, 3, 3]));
    }

    private ImmutableArray<ChaosScenario> Read(string json)
    {
        var file = _folder.PathOf("scenario.json");
        File.WriteAllText(file, json);
        return ChaosScenarios.Find(file);
    }
}
