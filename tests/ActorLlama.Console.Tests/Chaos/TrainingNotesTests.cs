using ActorLlama.TestKit;

namespace ActorLlama.Cli.Tests;

/// <summary>What is read from processes' notes of their phases.</summary>
public sealed class TrainingNotesTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("forward 3\nexchange 3\n", nameof(TrainingPhase.Exchange), 3L)]
    [InlineData("forward 3\nexchange 3\n", nameof(TrainingPhase.Forward), null)]
    [InlineData("applied 2\nwrite 3\nforward 3\n", nameof(TrainingPhase.Write), 3L)]
    [InlineData("applied 2\nwrite 3\nforward 3\n", nameof(TrainingPhase.Forward), 3L)]
    [InlineData("forward 3\nwritten 3\n", nameof(TrainingPhase.Write), null)]
    [InlineData("forward 3\nwritten 3\n", nameof(TrainingPhase.Forward), 3L)]
    [InlineData("commit 3\napplied 3\n", nameof(TrainingPhase.Commit), null)]
    [InlineData("decide 3\nmanifest 4\n", nameof(TrainingPhase.Decide), 3L)]
    [InlineData("manifest 4\nmanifested 4\n", nameof(TrainingPhase.Manifest), null)]
    public void A_process_is_in_the_phase_that_it_noted_last_and_may_write_a_checkpoint_besides(string noted, string phase, long? step)
    {
        File.WriteAllText(_folder.PathOf("7-cpu:0"), noted);
        File.WriteAllText(_folder.PathOf("77-cpu:0"), "report 9\n");
        Assert.Equal(step, new TrainingNotes(_folder.Path).StepIn(Enum.Parse<TrainingPhase>(phase), 7));
    }

    [Fact]
    public void A_long_file_is_read_from_its_end()
    {
        File.WriteAllText(_folder.PathOf("7-cpu:0"), $"{string.Concat(Enumerable.Range(0, 999).Select(step => $"forward {step}\n"))}report 999\n");
        Assert.Equal(999, new TrainingNotes(_folder.Path).StepIn(TrainingPhase.Report, 7));
    }

    [Theory]
    [InlineData("load 0, commit 0, applied 0, forward 1, commit 1, applied 1, load 1, commit 1", null)]
    [InlineData("load 0, commit 0, applied 0, commit 0", "a committed step 0 where step 1 was next")]
    [InlineData("load 0, commit 0, applied 0, commit 2", "a committed step 2 where step 1 was next")]
    [InlineData("load 0, commit 0, commit 1", "a committed step 1 while it applied step 0")]
    [InlineData("load 0, commit 0, applied 0, applied 0", "a applied step 0 without having begun to")]
    public void A_step_that_is_applied_twice_or_in_part_is_told(string noted, string? broken) =>
        Assert.Equal(broken, TrainingNotes.Broken("a", TrainingNotes.Parse(noted.Replace(", ", "\n", StringComparison.Ordinal))).FirstOrDefault());

    [Fact]
    public void A_run_differs_in_what_it_learned_in_any_try_at_a_step_and_in_what_it_saved()
    {
        var (undisturbed, run) = (Run("undisturbed", [1.5, 1.25], 7), Run("run", [1.5, 1.25, 1.25], 7));
        Assert.Empty(run.DifferencesFrom(undisturbed, 2));
        Assert.Equal(3, run.Told);
        Assert.Equal(
            ["step 1 was learning/loss=1.25, and is learning/loss=1.125", "model.safetensors after step 1 differs"],
            Run("other", [1.5, 1.125, 1.25], 8).DifferencesFrom(undisturbed, 2));
        Assert.Equal(["step 1 was not made", "model.safetensors after step 1 differs"], Run("short", [1.5], null).DifferencesFrom(undisturbed, 2));
    }

    /// <summary>Its first loss is of step 0, all others are of step 1.</summary>
    private TrainedRun Run(string name, double[] losses, byte? saved)
    {
        var folder = Directory.CreateDirectory(_folder.PathOf(name));
        File.WriteAllLines(
            Path.Combine(folder.FullName, "metrics.jsonl"),
            losses.Select((loss, i) => string.Create(System.Globalization.CultureInfo.InvariantCulture, $$"""{"learning/loss":{{loss}},"perf/step_time_seconds":{{i}},"step":{{Math.Min(i, 1)}}}""")));
        if (saved is { } value) File.WriteAllBytes(Path.Combine(folder.CreateSubdirectory(Path.Combine("checkpoints", "1", "items")).FullName, "model.safetensors"), [value]);
        return new TrainedRun(folder.FullName);
    }
}
