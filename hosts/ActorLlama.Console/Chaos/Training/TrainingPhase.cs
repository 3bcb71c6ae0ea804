namespace ActorLlama.Cli;

/// <summary>What a process is doing for a step when something happens to it. The names are those that it notes (<c>actorllama.training.phase-folder</c>).</summary>
internal enum TrainingPhase
{
    /// <summary>Its device computes its sequences; no gradient has come in yet.</summary>
    Forward,

    /// <summary>Gradients come in and are added.</summary>
    Exchange,

    /// <summary>Its device has reported, and has not been told to commit.</summary>
    Report,

    /// <summary>Its device changes its weights.</summary>
    Commit,

    /// <summary>Its device copies its part of a checkpoint and writes the copy.</summary>
    Write,

    /// <summary>The coordinator there has told owners to commit; some have not.</summary>
    Decide,

    /// <summary>The coordinator there makes the owners' parts one checkpoint.</summary>
    Manifest,
}
