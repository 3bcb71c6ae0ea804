using ActorLlama.Planning.Training;
using ActorLlama.Protocol;
using ActorLlama.TestKit;
using ActorLlama.Text;
using ActorLlama.Training.Actors;
using ActorLlama.Training.Data;
using ActorLlama.Training.Reports;
using ActorLlama.Training.Runs;

namespace ActorLlama.Training.Tests.Runs;

/// <summary>A run's folder, which coordinators claim and all nodes must see.</summary>
public sealed class RunStorageTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_node_that_does_not_see_what_the_coordinator_writes_is_told_before_it_loads_anything()
    {
        var settings = Settings(saves: true);
        var fault = Assert.Throws<InvalidDataException>(() => RunStorage.CheckShared(settings)).Message;
        Assert.Contains(_folder.PathOf("run"), fault, StringComparison.Ordinal);
        Assert.Contains("base_output_directory", fault, StringComparison.Ordinal);
        RunStorage.CheckShared(Settings(saves: false));

        new RunStorage(settings, "this", "a", mayHaveBegun: false).Take(1);
        RunStorage.CheckShared(settings);
    }

    [Fact]
    public void A_coordinator_takes_a_run_from_one_of_a_lower_epoch_only()
    {
        var settings = Settings(saves: true);
        var first = new RunStorage(settings, "this", "a", mayHaveBegun: false);
        Assert.False(Assert.IsType<CoordinatorEvent.StorageRead>(first.Take(3)).WasBegun);
        first.MarkBegun();

        var second = new RunStorage(settings, "this", "b", mayHaveBegun: true);
        Assert.Equal(new CoordinatorEvent.StorageFenced(3), second.Take(2));
        Assert.Equal(new CoordinatorEvent.StorageFenced(3), second.Take(3));
        Assert.True(Assert.IsType<CoordinatorEvent.StorageRead>(second.Take(4)).WasBegun);
        // A run that is begun anew in the same folder owes nothing to the one before it.
        Assert.False(Assert.IsType<CoordinatorEvent.StorageRead>(new RunStorage(settings, "other", "c", mayHaveBegun: false).Take(1)).WasBegun);
    }

    private RunSettings Settings(bool saves) => new()
    {
        RunName = "run",
        ConfigJson = "{}",
        Options = TrainingFixture.Options,
        Data = new DataSettings { Type = DataSet.Synthetic, Slots = 1, Length = 8, Tokens = new TokenizerOptions(8, 0, [1], 2) },
        Cadence = new RunCadence(8, saves, 3, -1),
        Plan = new TrainingPlanOptions(),
        Figures = new RunFigures("run", 1, new StepFlops(1, 1), 1, 1),
        Initial = new StateId("init", 0, 0),
        Folder = _folder.PathOf("run"),
    };
}
