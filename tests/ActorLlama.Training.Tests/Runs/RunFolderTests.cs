using ActorLlama.TestKit;
using ActorLlama.Training.Runs;

namespace ActorLlama.Training.Tests.Runs;

public sealed class RunFolderTests
{
    [Fact]
    public void Saves_fall_on_multiples_of_the_period_and_on_the_last_step()
    {
        var cadence = new RunCadence(8, SavesCheckpoints: true, CheckpointPeriod: 3, EvalInterval: 2);
        Assert.Equal([0, 3, 6, 7], Steps(8).Where(cadence.SavesAfter));
        Assert.Equal([1, 3, 5, 7], Steps(8).Where(cadence.EvaluatesAfter));
        Assert.DoesNotContain(Steps(8), (cadence with { SavesCheckpoints = false }).SavesAfter);
        Assert.DoesNotContain(Steps(8), (cadence with { EvalInterval = -1 }).EvaluatesAfter);

        static IEnumerable<long> Steps(int count) => Enumerable.Range(0, count).Select(step => (long)step);
    }

    [Fact]
    public void The_newest_checkpoint_is_the_latest_whole_one()
    {
        using var folder = new TemporaryFolder();
        var run = new RunFolder(folder.PathOf("run"));
        Assert.Null(run.NewestCheckpoint);
        foreach (var step in (long[])[0, 9, 10, 200]) Directory.CreateDirectory(run.CheckpointOf(step));
        Directory.CreateDirectory(folder.PathOf("run", "checkpoints", "other", "items"));
        Assert.Null(run.NewestCheckpoint);
        // 10 is after 9 though it sorts before it; 200 was not finished.
        foreach (var step in (long[])[0, 9, 10]) File.WriteAllText(System.IO.Path.Combine(run.CheckpointOf(step), "checkpoint.json"), $"{{\"step\":{step},\"files\":{{}}}}");
        Assert.Equal(run.CheckpointOf(10), run.NewestCheckpoint);
    }
}
