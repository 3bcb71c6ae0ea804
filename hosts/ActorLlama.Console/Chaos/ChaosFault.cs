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

    /// <summary>The longest pause allowed.</summary>
    public int BoundMs { get; init; } = 15_000;
}

internal enum ChaosDeed
{
    /// <summary>SIGKILL.</summary>
    Kill,

    /// <summary>SIGSTOP, and SIGCONT after a while.</summary>
    Freeze,

    /// <summary>The node's network is cut for a while: nothing is refused, nothing arrives. Needs <see cref="ChaosScenario.Hosts"/>.</summary>
    Cut,

    /// <summary>The node is emptied as <c>cluster drain</c> does, and may hold parts again.</summary>
    Drain,

    /// <summary>All nodes start again, one after the other, as <c>cluster roll</c> does. It meets everybody, whatever the role.</summary>
    Roll,

    /// <summary>As many processes that do nothing but compute as the machine has cores, for each node: nobody may be taken for lost.</summary>
    Burn,
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
}
