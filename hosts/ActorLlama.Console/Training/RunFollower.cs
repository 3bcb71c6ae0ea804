using System.Globalization;
using ActorLlama.Client;
using ActorLlama.Protocol;
using ActorLlama.Training.Reports;
using ActorLlama.Training.Runs;

namespace ActorLlama.Cli;

/// <summary>Begins a run on a cluster and tells how it goes until it ends. When whoever coordinates it is lost, another one is told of it.</summary>
internal sealed class RunFollower(ClusterConnection connection, RunSettings run, RunReporter reporter, TimeSpan answer, TimeSpan poll)
{
    private readonly string _id = Guid.NewGuid().ToString("N");
    private string _coordinator = "", _said = "";
    private long _seen, _lastStep = -1, _lastEvaluated = -1;
    private bool _isStopping;
    private long[] _micros = new long[Enum.GetValues<StepPhase>().Length];

    /// <summary>Exit code 0 when all steps are made, that of an interruption when it was asked to end before. Throws <see cref="InvalidDataException"/> when it failed.</summary>
    public async Task<int> FollowAsync(CancellationToken end)
    {
        var status = await connection.StartRunAsync(_id, run.ToJson(), mayHaveBegun: false, answer, end);
        while (true)
        {
            Tell(status);
            switch (status.State)
            {
                case RunState.Completed when Caught(status):
                    TellTimes();
                    return 0;
                case RunState.Stopped when Caught(status):
                    await Console.Error.WriteLineAsync($"ended before step {status.StepsDone} of {run.Cadence.Steps}{(run.Cadence.SavesCheckpoints ? "; the same command goes on from there" : "")}");
                    return CommandLine.Interrupted;
                case RunState.Failed when Caught(status): throw new InvalidDataException(status.Reason);
                case RunState.Unknown: status = await connection.StartRunAsync(_id, run.ToJson(), mayHaveBegun: true, answer, CancellationToken.None); continue;
            }

            if (end.IsCancellationRequested && !_isStopping)
            {
                _isStopping = true;
                await connection.StopRunAsync(_id, answer, CancellationToken.None);
            }

            await Task.Delay(poll, CancellationToken.None);
            status = await connection.GetRunAsync(_id, _coordinator, _seen, answer, CancellationToken.None);
        }
    }

    /// <summary>Nothing is left to be told.</summary>
    private static bool Caught(RunProtocol.Status status) => status.Events.IsEmpty;

    private void Tell(RunProtocol.Status status)
    {
        if (status.Coordinator.Length > 0 && status.Coordinator != _coordinator) (_coordinator, _seen) = (status.Coordinator, 0);
        foreach (var happened in status.Events)
        {
            if (happened.Number <= _seen) continue;
            _seen = happened.Number;
            if (happened.Step is { } step) Tell(step);
            else if (happened.Evaluation is { } evaluation) Tell(evaluation);
            else Console.Error.WriteLine(happened.Text);
        }

        var waits = status.State == RunState.Waiting ? status.Reason : "";
        if (waits.Length > 0 && waits != _said) Console.Error.WriteLine(waits);
        _said = waits;
    }

    /// <summary>What the devices' time went to, all steps but the first.</summary>
    private void TellTimes()
    {
        if (_micros.Sum() is not (> 0 and var all)) return;
        string Share(params StepPhase[] phases) => string.Create(CultureInfo.InvariantCulture, $"{(double)phases.Sum(phase => _micros[(int)phase]) / all:0 %}");
        StepPhase[] computing = [StepPhase.Trunk, StepPhase.Experts, StepPhase.Head, StepPhase.Sums, StepPhase.Update];
        Console.Error.WriteLine(
            $"of the devices' time {Share(computing)} went to computing ({string.Join(", ", computing.Select(phase => $"{phase} {Share(phase)}".ToLowerInvariant()))}), "
            + $"{Share(StepPhase.Exchange)} to exchange, {Share(StepPhase.Waiting)} to waiting");
    }

    private void Tell(RunProtocol.Evaluation evaluation)
    {
        // Whoever takes over may evaluate once more.
        if (evaluation.Step == _lastEvaluated) return;
        _lastEvaluated = evaluation.Step;
        reporter.Evaluated(EvalReport.Of(evaluation));
    }

    private void Tell(RunProtocol.Step step)
    {
        // A coordinator that takes over may tell again of the last one.
        if (step.Number == _lastStep) return;
        _lastStep = step.Number;
        // The first step loads libraries and opens connections.
        if (step.Number > run.Initial.StepsDone) _micros = [.. _micros.Select((micros, phase) => micros + step.Micros.ElementAtOrDefault(phase))];
        if (step.NotFinite is { } what) reporter.Skipped(step.Number, $"{what} is not finite");
        else reporter.Stepped(StepReport.Of(step), [.. step.ExpertRows]);
    }
}
