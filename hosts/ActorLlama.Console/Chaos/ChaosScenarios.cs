using System.Collections.Immutable;

namespace ActorLlama.Cli;

/// <summary>The scenarios that have a name. Bounds are those that the operations document promises.</summary>
internal static class ChaosScenarios
{
    /// <summary>So that parts take one to six seconds to load: loads of the sample model are over before one can look.</summary>
    private const string SlowDisk = "actorllama.model.load-rate=3MiB";

    /// <summary>So that long prompts need much more memory than short ones and decoding: as many rows in a batch as it may have.</summary>
    private const string LargeBatches = "actorllama.scheduler.prefill-chunk=512";

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
        ["kill-in-each-phase"] =
        [
            Phases("while prompts are computed") with
            {
                // Prompts of many batches, and nothing kept of those that were computed before.
                PromptTokens = 200,
                Tokens = 60,
                Settings = ["actorllama.scheduler.prefill-chunk=16", "actorllama.scheduler.prefix-sharing=off"],
                Faults = Kills(ChaosPhase.Prefill, ChaosRole.Expert, ChaosRole.Stage, ChaosRole.LaterStage, ChaosRole.Session, ChaosRole.Supervisor, ChaosRole.Contact),
            },
            Phases("while a node is emptied, by disks of 3 MiB/s") with
            {
                Settings = [SlowDisk],
                Faults = Kills(
                    ChaosPhase.HandOff, ChaosRole.Expert, ChaosRole.Stage, ChaosRole.LaterStage, ChaosRole.Target, ChaosRole.Session, ChaosRole.Supervisor, ChaosRole.Contact),
            },
            Phases("while a lost stage is loaded, from disks of 3 MiB/s") with
            {
                Settings = [SlowDisk],
                Faults = Kills(ChaosPhase.Loading, ChaosRole.Target, ChaosRole.Expert, ChaosRole.Session, ChaosRole.Supervisor, ChaosRole.Contact),
            },
            Phases("before there is a new plan, then disks of 3 MiB/s") with
            {
                Settings = [SlowDisk],
                Faults = Kills(ChaosPhase.Replanning, ChaosRole.Expert, ChaosRole.LaterStage, ChaosRole.Session, ChaosRole.Supervisor, ChaosRole.Contact),
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
        ["partition-again"] =
        [
            new ChaosScenario
            {
                Name = "each node cut off in its turn, ten times",
                Stages = 3,
                Hosts = true,
                Faults = [new ChaosFault { Do = ChaosDeed.Cut, Role = ChaosRole.Any, ForMs = 10_000, Times = 10 }],
            },
        ],
        ["stall"] =
        [
            new ChaosScenario
            {
                Name = "lanes that stand still",
                Stages = 3,
                Hosts = true,
                Faults =
                [
                    new ChaosFault { Do = ChaosDeed.Stall, Role = ChaosRole.LaterStage, ForMs = 12_000 },
                    new ChaosFault { Do = ChaosDeed.Stall, Role = ChaosRole.Stage, ForMs = 12_000 },
                    new ChaosFault { Do = ChaosDeed.Stall, Role = ChaosRole.Expert, ForMs = 12_000 },
                ],
            },
        ],
        ["starve"] =
        [
            new ChaosScenario
            {
                Name = "no memory for experts",
                Stages = 1,
                ExpertShards = 2,
                Roles = Trunk(1).Add(2, ["experts"]).Add(3, ["experts"]),
                PromptTokens = 8,
                // Experts have no caches: only the rows of a large batch need more than the process has free within what it has.
                Settings = ["actorllama.scheduler.token-budget=2048", "actorllama.scheduler.prefill-chunk=2048"],
                Faults = [new ChaosFault { Do = ChaosDeed.Starve, Role = ChaosRole.Expert }],
            },
            new ChaosScenario
            {
                Name = "no memory for stages",
                Stages = 3,
                PromptTokens = 8,
                Settings = [LargeBatches],
                Faults = [new ChaosFault { Do = ChaosDeed.Starve, Role = ChaosRole.LaterStage }, new ChaosFault { Do = ChaosDeed.Starve, Role = ChaosRole.Stage }],
            },
        ],
        ["scale"] =
        [
            new ChaosScenario
            {
                Name = "three nodes, five, two, three",
                Stages = 2,
                ExpertShards = 8,
                Sessions = 16,
                Faults = [new ChaosFault { Do = ChaosDeed.Scale, Role = ChaosRole.Any }],
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
                Faults = [new ChaosFault { Do = ChaosDeed.Burn, Role = ChaosRole.Any, ForMs = 600_000, BoundMs = 6000 }],
            },
        ],
        ["soak"] =
        [
            new ChaosScenario
            {
                Name = "a random fault every twenty seconds",
                Stages = 2,
                ExpertShards = 4,
                // What is kept of finished sequences would hide what is lost.
                Settings = ["actorllama.scheduler.prefix-sharing=off"],
                Faults = [new ChaosFault { Do = ChaosDeed.Soak, Role = ChaosRole.Any, ForMs = 3_600_000 }],
            },
        ],
    }.ToImmutableDictionary();

    /// <summary>A scenario's name, or a file of them. Throws <see cref="InvalidDataException"/>.</summary>
    public static ImmutableArray<ChaosScenario> Find(string nameOrFile) =>
        All.TryGetValue(nameOrFile, out var known) ? known
        : File.Exists(nameOrFile) ? ChaosScenario.Read(nameOrFile)
        : throw new InvalidDataException(
            $"Scenario: \"{nameOrFile}\" is neither a scenario nor a file. Scenarios are {string.Join(", ", All.Keys.Order(StringComparer.Ordinal).Select(n => $"\"{n}\""))}.");

    /// <summary>Two nodes for the supervisor alone, three for the model: any can go, and the role of each is clear.</summary>
    private static ChaosScenario Phases(string name) => new()
    {
        Name = name,
        Nodes = 5,
        Stages = 2,
        ExpertShards = 3,
        Roles = ImmutableDictionary<int, ImmutableArray<string>>.Empty
            .Add(1, ["control"]).Add(2, ["control"]).Add(3, ["trunk", "experts"]).Add(4, ["trunk", "experts"]).Add(5, ["trunk", "experts"]),
        Faults = [],
    };

    private static ImmutableArray<ChaosFault> Kills(ChaosPhase when, params ReadOnlySpan<ChaosRole> roles)
    {
        var faults = ImmutableArray.CreateBuilder<ChaosFault>();
        foreach (var role in roles) faults.Add(new ChaosFault { Role = role, When = when });
        return faults.ToImmutable();
    }

    /// <summary>A node that has the trunk and the sessions, and no experts.</summary>
    private static ImmutableDictionary<int, ImmutableArray<string>> Trunk(int node) =>
        ImmutableDictionary<int, ImmutableArray<string>>.Empty.Add(node, ["trunk", "control"]);
}
