using ActorLlama.Checkpoints;
using ActorLlama.Model;
using ActorLlama.TestKit;
using ActorLlama.Training.Runs;

namespace ActorLlama.Training.Tests.Runs;

public sealed class RunStartTests : IDisposable
{
    private static readonly (string, string) s_shape = Shape("tiny-maverick");
    private readonly TemporaryFolder _folder = new();
    private RunFolder Run => new(_folder.PathOf("runs", "one"));

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void The_run_s_own_newest_checkpoint_comes_first_then_the_one_named_then_none()
    {
        var weights = Weights("tiny-maverick");
        Assert.Equal((null, false, 0), Of(RunStart.Of(Run, "", "", s_shape)));
        Assert.Equal((weights, false, 0), Of(RunStart.Of(Run, weights, "", s_shape)));
        Save(3);
        Assert.Equal((Run.CheckpointOf(3), true, 4), Of(RunStart.Of(null, "", Run.CheckpointOf(3), null)));
        Save(12);
        var resumed = RunStart.Of(Run, weights, "", s_shape);
        Assert.Equal((Run.CheckpointOf(12), true, 13), Of(resumed));
        Assert.Equal(11, resumed.Record!.Updates);
        Assert.Equal(["packing was true"], resumed.Record.Differences(new Dictionary<string, string> { ["packing"] = "false" }));
        Assert.Empty(resumed.Record.Differences(new Dictionary<string, string> { ["packing"] = "true", ["other"] = "1" }));
    }

    [Fact]
    public void A_checkpoint_of_another_shape_one_without_optimizer_and_none_at_all_are_told()
    {
        var weights = Weights("tiny-maverick");
        Assert.Contains("model_name is \"tiny-scout\"", Fault(() => RunStart.Of(Run, weights, "", Shape("tiny-scout"))), StringComparison.Ordinal);
        Assert.Contains("holds no optimizer state", Fault(() => RunStart.Of(Run, "", weights, s_shape)), StringComparison.Ordinal);
        Assert.Contains("no model_name", Fault(() => RunStart.Of(Run, "", "", null)), StringComparison.Ordinal);
    }

    private static (string?, bool, long) Of(RunStart start) => (start.Checkpoint, start.HasOptimizer, start.FirstStep);

    private static string Fault(Action act) => Assert.Throws<InvalidDataException>(act).Message;

    private static (string Name, string Json) Shape(string name) => (name, File.ReadAllText(Path.Combine(Shared.RepositoryRoot, "config", "models", $"{name}.json")));

    private string Weights(string shape)
    {
        var folder = _folder.PathOf(shape);
        if (!Directory.Exists(folder)) CheckpointInitializer.Write(Shape(shape).Json, 1, folder);
        return folder;
    }

    private void Save(long step)
    {
        using var source = CheckpointDirectory.Open(Weights("tiny-maverick"));
        var weights = ParameterTable.Of(source.Config).Parameters.Select(parameter => new Renamed(parameter.Name, source.Get(parameter.Name))).ToArray();
        TrainingCheckpoint.Write(Run.CheckpointOf(step), new TrainedState { ConfigJson = source.ConfigJson, Step = step, Record = new RunRecord(step - 1, new Dictionary<string, string> { ["packing"] = "true" }).ToJson(), Weights = weights, Optimizer = [new Renamed("mu.x", weights[0])] });
    }

    private sealed class Renamed(string name, TensorData of) : TensorData(name, of.Type, of.Shape)
    {
        public override void Read(long offset, Span<byte> bytes) => of.Read(offset, bytes);
    }
}
