using System.Collections.Immutable;
using ActorLlama.Model;
using ActorLlama.Training.Reports;
using ActorLlama.Training.Runs;

namespace ActorLlama.Cli;

/// <summary>Tells people and files how a run goes: MaxText's lines, each one step late, metrics, and a picture where somebody watches.</summary>
/// <param name="run">What all lines have in common.</param>
/// <param name="config">The model.</param>
/// <param name="steps">Steps of the whole run.</param>
/// <param name="metrics">Where metrics go, or null.</param>
/// <param name="output">Where lines go.</param>
/// <param name="memory">Bytes in use and at hand on each device.</param>
internal sealed class RunReporter(
    RunFigures run, LlamaConfig config, long steps, MetricsFile? metrics, TextWriter output, Func<ImmutableArray<(string Name, long Used, long Total)>> memory) : IRunObserver
{
    private RunProgress _progress = new(run, steps, [], null, null, 0, memory(), null);
    private string? _late;

    /// <summary>Called with each step and evaluation when somebody watches; lines are then held back.</summary>
    public Action<RunProgress>? Watcher { get; set; }

    public void Begin()
    {
        foreach (var line in ReportLines.Start(run)) output.WriteLine(line);
        output.Flush();
    }

    public void Stepped(StepReport step, long[] load)
    {
        var experts = config.Experts;
        var map = load.Length == 0 ? null : new ExpertMap([.. Enumerable.Range(0, config.Layers).Where(layer => config.IsMoe[layer])], experts, load);
        metrics?.Write(run, step);
        _progress = _progress.With(step, map) with { Devices = memory() };
        Say(ReportLines.Step(run, step));
    }

    public void Skipped(long step, string why) => Console.Error.WriteLine($"step {step} is left out: {why}");

    public void Evaluated(EvalReport evaluation)
    {
        metrics?.Write(run, evaluation);
        _progress = _progress with { Evaluation = evaluation };
        Say(ReportLines.Evaluation(run, evaluation));
    }

    public void Saving(long step)
    {
        if (Watcher is null) End();
    }

    /// <summary>Writes the line that is still held: the last, when the run ends.</summary>
    public void End()
    {
        if (_late is not null) output.WriteLine(_late);
        _late = null;
        output.Flush();
    }

    private void Say(string line)
    {
        if (Watcher is null) End();
        else Watcher(_progress);
        _late = line;
    }
}
