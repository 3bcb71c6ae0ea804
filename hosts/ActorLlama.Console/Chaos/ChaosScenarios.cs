using System.Collections.Immutable;

namespace ActorLlama.Cli;

/// <summary>The scenarios that have a name. Bounds are those that the operations document promises.</summary>
internal static class ChaosScenarios
{
    /// <summary>Loading is on top of what a loss without a replica costs: the sample model's parts load within this.</summary>
    private const int LoadingMs = 1500;

    public static ImmutableDictionary<string, ImmutableArray<ChaosScenario>> All { get; } = new Dictionary<string, ImmutableArray<ChaosScenario>>
    {
        ["kill-each-role"] =
        [
            new ChaosScenario
            {
                Name = "an expert shard with a live replica",
                Stages = 1,
                ExpertShards = 1,
                Roles = Trunk(1).Add(2, ["experts"]).Add(3, ["experts"]),
                Settings = ["actorllama.plan.replicas=2"],
                Faults = [new ChaosFault { Role = ChaosRole.Expert, BoundMs = 300 }],
            },
            new ChaosScenario
            {
                Name = "an expert shard without a replica",
                Stages = 1,
                ExpertShards = 2,
                Roles = Trunk(1).Add(2, ["experts"]).Add(3, ["experts"]),
                Faults = [new ChaosFault { Role = ChaosRole.Expert, BoundMs = 3000 + LoadingMs }],
            },
            new ChaosScenario
            {
                Name = "stages, sessions and the contact",
                Stages = 3,
                Faults =
                [
                    new ChaosFault { Role = ChaosRole.Stage, BoundMs = 3000 + LoadingMs },
                    new ChaosFault { Role = ChaosRole.LaterStage, BoundMs = 3000 + LoadingMs },
                    new ChaosFault { Role = ChaosRole.Session, BoundMs = 3000 + LoadingMs },
                    new ChaosFault { Role = ChaosRole.Contact, BoundMs = 3000 + LoadingMs },
                ],
            },
            new ChaosScenario
            {
                Name = "the supervisor",
                Stages = 1,
                ExpertShards = 1,
                Roles = ImmutableDictionary<int, ImmutableArray<string>>.Empty.Add(1, ["control"]).Add(2, ["control"]).Add(3, ["trunk"]).Add(4, ["experts"]),
                Nodes = 4,
                Faults = [new ChaosFault { Role = ChaosRole.Supervisor, BoundMs = 300 }],
            },
        ],
        ["kill-two"] =
        [
            new ChaosScenario
            {
                Name = "another while the first is mended",
                Nodes = 4,
                Stages = 2,
                Faults =
                [
                    new ChaosFault { Role = ChaosRole.Expert, When = ChaosPhase.Replanning, BoundMs = 6000 + LoadingMs },
                    new ChaosFault { Role = ChaosRole.LaterStage, When = ChaosPhase.Loading, BoundMs = 6000 + LoadingMs },
                ],
            },
        ],
        ["freeze"] =
        [
            new ChaosScenario
            {
                Name = "frozen and woken",
                Stages = 3,
                Faults =
                [
                    new ChaosFault { Do = ChaosDeed.Freeze, Role = ChaosRole.LaterStage, ForMs = 10_000, BoundMs = 9000 },
                    new ChaosFault { Do = ChaosDeed.Freeze, Role = ChaosRole.Stage, ForMs = 1000, BoundMs = 9000 },
                ],
            },
        ],
        ["partition"] =
        [
            new ChaosScenario
            {
                Name = "cut off",
                Stages = 3,
                Hosts = true,
                Faults =
                [
                    new ChaosFault { Do = ChaosDeed.Cut, Role = ChaosRole.LaterStage, ForMs = 10_000, BoundMs = 10_000 },
                    new ChaosFault { Do = ChaosDeed.Cut, Role = ChaosRole.Stage, ForMs = 10_000, BoundMs = 10_000 },
                    new ChaosFault { Do = ChaosDeed.Cut, Role = ChaosRole.Supervisor, ForMs = 10_000, BoundMs = 10_000 },
                ],
            },
        ],
        ["drain-under-load"] =
        [
            new ChaosScenario
            {
                Name = "emptied",
                Faults =
                [
                    new ChaosFault { Do = ChaosDeed.Drain, Role = ChaosRole.Expert, BoundMs = 1000 },
                    new ChaosFault { Do = ChaosDeed.Drain, Role = ChaosRole.Stage, BoundMs = 3000 },
                ],
            },
        ],
        ["roll"] =
        [
            new ChaosScenario
            {
                Name = "all nodes start again",
                Sessions = 16,
                Tokens = 960,
                // Three programs start meanwhile, on the cores that the others serve with.
                Faults = [new ChaosFault { Do = ChaosDeed.Roll, BoundMs = 15_000 }],
            },
        ],
        ["burn"] =
        [
            new ChaosScenario
            {
                Name = "all cores busy",
                Tokens = 400,
                Faults = [new ChaosFault { Do = ChaosDeed.Burn, ForMs = 30_000, BoundMs = 6000 }],
            },
        ],
    }.ToImmutableDictionary();

    /// <summary>A scenario's name, or a file of them. Throws <see cref="InvalidDataException"/>.</summary>
    public static ImmutableArray<ChaosScenario> Find(string nameOrFile) =>
        All.TryGetValue(nameOrFile, out var known) ? known
        : File.Exists(nameOrFile) ? ChaosScenario.Read(nameOrFile)
        : throw new InvalidDataException(
            $"Scenario: \"{nameOrFile}\" is neither a scenario nor a file. Scenarios are {string.Join(", ", All.Keys.Order(StringComparer.Ordinal).Select(n => $"\"{n}\""))}.");

    /// <summary>A node that has the trunk and the sessions, and no experts.</summary>
    private static ImmutableDictionary<int, ImmutableArray<string>> Trunk(int node) =>
        ImmutableDictionary<int, ImmutableArray<string>>.Empty.Add(node, ["trunk", "control"]);
}
