namespace ActorLlama.Cli;

/// <summary>One thing that is done to a cluster while sessions run, and by when they must go on.</summary>
internal sealed record ChaosFault
{
    public ChaosDeed Do { get; init; } = ChaosDeed.Kill;

    /// <summary>Whom it meets: a node that has this role at that moment.</summary>
    public ChaosRole Role { get; init; }

    /// <summary>What a session must be doing at that moment.</summary>
    public ChaosPhase When { get; init; } = ChaosPhase.Decode;

    /// <summary>How long all but a kill lasts.</summary>
    public int ForMs { get; init; } = 6000;

    /// <summary>How often it is done to the same sessions, each time when all nodes are there again; they are opened anew as they end.</summary>
    public int Times { get; init; } = 1;

    /// <summary>With <see cref="ChaosDeed.Starve"/>: how many sessions come with it, all at once, so that devices need more memory than they had.</summary>
    public int Burst { get; init; } = 24;

    /// <summary>Prompt tokens of each of those.</summary>
    public int BurstPromptTokens { get; init; } = 800;

    /// <summary>The longest pause allowed.</summary>
    public int BoundMs { get; init; } = 15_000;

    /// <summary>Whether sessions are opened anew until it is over.</summary>
    public bool IsLasting => Times > 1 || Do is ChaosDeed.Starve or ChaosDeed.Burn or ChaosDeed.Roll or ChaosDeed.Scale or ChaosDeed.Soak;
}

internal enum ChaosDeed
{
    /// <summary>SIGKILL.</summary>
    Kill,

    /// <summary>SIGSTOP, and SIGCONT after a while.</summary>
    Freeze,

    /// <summary>The node's network is cut for a while: nothing is refused, nothing arrives. Needs <see cref="ChaosScenario.Hosts"/>.</summary>
    Cut,

    /// <summary>The node's lanes stand still for a while; all else of it is well. Needs <see cref="ChaosScenario.Hosts"/>.</summary>
    Stall,

    /// <summary>
    /// The node's process gets no more memory than it has, for a while, and more sessions come, with long prompts: its device must run short, and say so, or its process end of it.
    /// </summary>
    Starve,

    /// <summary>The node is emptied as <c>cluster drain</c> does, and may hold parts again.</summary>
    Drain,

    /// <summary>All nodes start again, one after the other, as <c>cluster roll</c> does. It meets everybody, whatever the role.</summary>
    Roll,

    /// <summary>Two nodes more, added as <c>cluster add</c> does; then nodes are drained and stopped until two are left. It meets everybody.</summary>
    Scale,

    /// <summary>As many processes that do nothing but compute as the machine has cores: nobody may be taken for lost, nothing may be planned anew.</summary>
    Burn,

    /// <summary>One random kill, freeze, drain or, with <see cref="ChaosScenario.Hosts"/>, cut every twenty seconds; what the nodes hold at rest must not grow.</summary>
    Soak,
}

internal enum ChaosRole
{
    /// <summary>Holds expert shards, and no stage if there is one that holds none.</summary>
    Expert,

    /// <summary>Holds stage 0, and so the scheduler.</summary>
    Stage,

    /// <summary>Holds a stage that is not the first.</summary>
    LaterStage,

    /// <summary>The supervisor runs there.</summary>
    Supervisor,

    /// <summary>Holds sessions; the one with the fewest stages and shards.</summary>
    Session,

    /// <summary>The client came in there.</summary>
    Contact,

    /// <summary>A part of the model is to be held there and is not loaded yet.</summary>
    Target,

    /// <summary>Any node: each in its turn.</summary>
    Any,
}

internal enum ChaosPhase
{
    /// <summary>Some of its tokens are there.</summary>
    Decode,

    /// <summary>It is open and has no token yet.</summary>
    Prefill,

    /// <summary>A stage was just killed, and what it held is being loaded elsewhere.</summary>
    Loading,

    /// <summary>A stage was just killed, and there is no new plan yet.</summary>
    Replanning,

    /// <summary>
    /// A node is being emptied, the one with the role or else that of stage 0, and what it holds is being loaded elsewhere while it serves.
    /// </summary>
    HandOff,
}
