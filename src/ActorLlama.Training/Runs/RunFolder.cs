using System.Globalization;
using ActorLlama.Checkpoints;

namespace ActorLlama.Training.Runs;

/// <summary>The folder of a run, <c>{base_output_directory}/{run_name}</c>, and the checkpoints in it (spec 7.7).</summary>
public sealed record RunFolder(string Path)
{
    private const string Items = "items";

    /// <summary>Where metrics go when <c>metrics_file</c> does not say.</summary>
    public const string MetricsName = "metrics.jsonl";

    public string Metrics => System.IO.Path.Combine(Path, MetricsName);

    /// <summary>Where the checkpoint after a step lies or will lie.</summary>
    public string CheckpointOf(long step) => System.IO.Path.Combine(Checkpoints, step.ToString(CultureInfo.InvariantCulture), Items);

    /// <summary>The whole checkpoint of the latest step, or null. A checkpoint that was being written when the run was killed has not got its name yet.</summary>
    public string? NewestCheckpoint => WholeCheckpoints.FirstOrDefault();

    /// <summary>All whole checkpoints, the latest step first.</summary>
    public IEnumerable<string> WholeCheckpoints => !Directory.Exists(Checkpoints)
        ? []
        : Directory.EnumerateDirectories(Checkpoints)
            .Select(folder => long.TryParse(System.IO.Path.GetFileName(folder), NumberStyles.None, CultureInfo.InvariantCulture, out var step) ? step : -1)
            .Where(step => step >= 0).OrderDescending().Select(CheckpointOf)
            .Where(folder => TrainingCheckpoint.StepOf(folder) is not null);

    /// <summary>Where checkpoints are, by their steps.</summary>
    public string Checkpoints => System.IO.Path.Combine(Path, "checkpoints");
}
