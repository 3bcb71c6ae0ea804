using ActorLlama.Training.Reports;

namespace ActorLlama.Training.Runs;

/// <summary>Who is told how a run goes, on the run's thread.</summary>
public interface IRunObserver
{
    void Stepped(StepReport step, long[] load);

    /// <summary>A step was left out: nothing of it was applied.</summary>
    void Skipped(long step, string why);

    void Evaluated(EvalReport evaluation);

    /// <summary>A checkpoint is about to be written: what was told until now belongs before it, also if the process is killed then.</summary>
    void Saving(long step);
}
