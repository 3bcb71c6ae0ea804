using System.Collections.Immutable;
using ActorLlama.Training.Reports;

namespace ActorLlama.Cli;

/// <summary>How far a run is, for those who watch it.</summary>
/// <param name="Run">What its lines have in common.</param>
/// <param name="Steps">Steps of the whole run.</param>
/// <param name="Losses">Of the steps that this process has made, in order.</param>
/// <param name="Last">The last step; null before the first.</param>
/// <param name="Evaluation">The last evaluation, or null.</param>
/// <param name="SecondsPerStep">Mean of the last steps; 0 before the first.</param>
/// <param name="Devices">Bytes of memory in use on each device, and how many it has.</param>
/// <param name="ExpertLoad">Tokens by layer and expert of the last step; null for a model without experts.</param>
internal sealed record RunProgress(
    RunFigures Run,
    long Steps,
    ImmutableList<double> Losses,
    StepReport? Last,
    EvalReport? Evaluation,
    double SecondsPerStep,
    ImmutableArray<(string Name, long Used, long Total)> Devices,
    ExpertMap? ExpertLoad)
{
    /// <summary>Steps that count for <see cref="SecondsPerStep"/>.</summary>
    private const double Memory = 10;

    /// <summary>What is left at the present pace; null before the first step.</summary>
    public TimeSpan? TimeLeft => Last is null ? null : TimeSpan.FromSeconds((Steps - Last.Step - 1) * SecondsPerStep);

    public RunProgress With(StepReport step, ExpertMap? load) => this with
    {
        Losses = Losses.Add(step.Loss),
        Last = step,
        SecondsPerStep = Last is null ? step.Seconds : SecondsPerStep + (step.Seconds - SecondsPerStep) / Math.Min(Memory, Losses.Count + 1),
        ExpertLoad = load,
    };
}
