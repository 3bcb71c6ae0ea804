namespace ActorLlama.Training.Runs;

/// <summary>After which steps a run saves and evaluates itself (spec 7.7): MaxText's flags of the same names.</summary>
/// <param name="Steps"><c>steps</c>: the run makes steps 0 to this, exclusively.</param>
/// <param name="SavesCheckpoints"><c>enable_checkpointing</c>.</param>
/// <param name="CheckpointPeriod"><c>checkpoint_period</c>.</param>
/// <param name="EvalInterval"><c>eval_interval</c>; below 1: never.</param>
public sealed record RunCadence(long Steps, bool SavesCheckpoints, long CheckpointPeriod, long EvalInterval)
{
    /// <summary>True for each multiple of the period, 0 included, and for the last step.</summary>
    public bool SavesAfter(long step) => SavesCheckpoints && (step % CheckpointPeriod == 0 || step == Steps - 1);

    /// <summary>True when as many steps as the interval says, or a multiple of it, are done.</summary>
    public bool EvaluatesAfter(long step) => EvalInterval > 0 && (step + 1) % EvalInterval == 0;
}
