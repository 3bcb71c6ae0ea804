using ActorLlama.Checkpoints;
using ActorLlama.Model;
using ActorLlama.TestKit;
using ActorLlama.Training.Data;
using ActorLlama.Training.Reports;
using ActorLlama.Training.Runs;

namespace ActorLlama.Training.Tests.Runs;

/// <summary>Runs of a tiny model: what they save, and that they go on as if they had never ended.</summary>
public sealed class TrainingRunTests : IDisposable
{
    private const int Steps = 6;
    private static readonly string s_configJson = File.ReadAllText(Path.Combine(Shared.RepositoryRoot, "config", "models", "tiny-maverick.json"));
    private static readonly LlamaConfig s_config = LlamaConfigReader.Read(s_configJson).Config;
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_run_that_is_ended_and_resumed_has_the_losses_and_weights_of_one_that_was_not(bool isAsync)
    {
        var straight = new Told();
        Assert.Equal(Steps, Run("straight", straight, isAsync));

        using var end = new CancellationTokenSource();
        var begun = new Told { OnStep = step => { if (step == 2) end.Cancel(); } };
        Assert.Equal(3, Run("broken", begun, isAsync, end: end.Token));
        Assert.Equal([0, 2], Directory.GetDirectories(_folder.PathOf("broken", "checkpoints")).Select(folder => int.Parse(Path.GetFileName(folder))).Order());
        var resumed = new Told();
        Assert.Equal(Steps, Run("broken", resumed, isAsync));

        Assert.Equal([3, 4, 5], resumed.Steps.Select(step => step.Step));
        Assert.Equal(straight.Steps.Select(Bits), begun.Steps.Concat(resumed.Steps).Select(Bits));
        Assert.Equal([2, 5], straight.Evaluations.Select(evaluation => evaluation.Step));
        // The run was ended before its evaluation after step 2.
        Assert.Empty(begun.Evaluations);
        Assert.Equal(straight.Evaluations[^1], Assert.Single(resumed.Evaluations));
        foreach (var name in (string[])["model.safetensors", "optimizer-00001-of-00001.safetensors", "training.json"])
            Assert.Equal(File.ReadAllBytes(Path.Combine(_folder.PathOf("straight", "checkpoints", "5", "items"), name)), File.ReadAllBytes(Path.Combine(_folder.PathOf("broken", "checkpoints", "5", "items"), name)));
        Assert.True(straight.Steps[^1].Loss < straight.Steps[0].Loss, "it learned nothing");
    }

    [Fact]
    public void A_loss_that_is_no_number_stops_the_run_or_leaves_the_step_out_and_changes_nothing()
    {
        var told = new Told();
        var fault = Assert.Throws<InvalidDataException>(() => Run("nan", told, isAsync: false, weights: BrokenWeights));
        Assert.Contains("in step 0 the loss is NaN. Nothing of the step was applied", fault.Message, StringComparison.Ordinal);
        Assert.False(Directory.Exists(_folder.PathOf("nan", "checkpoints")));

        Assert.Equal(Steps, Run("skipping", told, isAsync: false, weights: BrokenWeights, change: options => options with { NotFinite = new(StopsOnNaN: false, StopsOnInfinity: true) }));
        Assert.Equal(Enumerable.Range(0, Steps).Select(step => (long)step), told.Skipped);
        Assert.Empty(told.Steps);
        Assert.Equal(0, RunStart.Of(new RunFolder(_folder.PathOf("skipping")), "", "", null).Record!.Updates);
    }

    [Fact]
    public void An_evaluation_of_some_batches_is_the_mean_over_their_tokens()
    {
        var (all, one) = (new Told(), new Told());
        Run("all", all, isAsync: false);
        Run("one", one, isAsync: false, change: options => options with { EvalSteps = 1 });
        Assert.Equal([2, 5], all.Evaluations.Select(evaluation => evaluation.Step));
        Assert.Equal(Text(40, 9).Targets, all.Evaluations[0].TotalWeights);
        // Of 32 ids one is the last of its document and predicts nothing.
        Assert.Equal(31, one.Evaluations[0].TotalWeights);
        Assert.Equal(all.Steps.Select(Bits), one.Steps.Select(Bits));
    }

    private static (long, double, double, double, double) Bits(StepReport step) => (step.Step, step.Loss, step.RawGradNorm, step.ParamNorm, step.LearningRate);

    private static TensorData BrokenWeights(string name) => new Constant(ParameterTable.Of(s_config).Find(name)!, float.NaN);

    private long Run(
        string name, Told told, bool isAsync, Func<string, TensorData>? weights = null, Func<RunOptions, RunOptions>? change = null, CancellationToken end = default)
    {
        var folder = new RunFolder(_folder.PathOf(name));
        var start = RunStart.Of(folder, "", "", ("tiny-maverick", s_configJson));
        using var checkpoint = start.Checkpoint is { } path ? CheckpointDirectory.Open(path) : null;
        using var optimizer = start.HasOptimizer ? OptimizerState.Open(start.Checkpoint!) : null;
        var initial = new InitialWeights(s_config, 3);
        using var trainer = new LocalTrainer(
            s_config, new TrainerOptions { LearningRates = new LearningRates(1e-2, Steps) }, weights ?? (of => checkpoint is null ? initial.Get(of) : checkpoint.Get(of)),
            optimizer is null ? null : of => (optimizer.Get(LocalTrainer.MeanPrefix + of), optimizer.Get(LocalTrainer.VariancePrefix + of)), start.Record?.Updates ?? 0);
        var data = new DataSet(new TextData(Text(200, 1), 2, 16, packing: true, shuffleSeed: 5), new TextData(Text(40, 9), 2, 16, packing: true, shuffleSeed: null, repeats: false), null);
        using var saver = new CheckpointSaver(folder, isAsync);
        var options = new RunOptions { Cadence = new RunCadence(Steps, true, 5, 3), ConfigJson = s_configJson };
        var next = new TrainingRun(trainer, data, change?.Invoke(options) ?? options, told, TimeProvider.System).Run(start.FirstStep, saver, end);
        saver.Finish();
        return next;
    }

    /// <summary>Documents of 20 ids that follow each other.</summary>
    private static TokenizedText Text(int ids, int first)
    {
        var (list, starts) = (new TokenList(s_config.VocabSize), new List<long>());
        for (var i = 0; i < ids; i++)
        {
            if (i % 20 == 0) starts.Add(i);
            list.Add(i % 20 == 0 ? 0 : first + i % 100);
        }
        return new TokenizedText(list, starts, ids);
    }

    private sealed class Told : IRunObserver
    {
        public List<StepReport> Steps { get; } = [];

        public List<EvalReport> Evaluations { get; } = [];

        public List<long> Skipped { get; } = [];

        public Action<long>? OnStep { get; init; }

        public void Stepped(StepReport step, long[] load)
        {
            Assert.Equal(s_config.IsMoe.Count(isMoe => isMoe) * 32, load.Sum());
            Steps.Add(step);
            OnStep?.Invoke(step.Step);
        }

        void IRunObserver.Skipped(long step, string why) => Skipped.Add(step);

        public void Evaluated(EvalReport evaluation) => Evaluations.Add(evaluation);

        public void Saving(long step)
        {
        }
    }

    private sealed class Constant(Parameter parameter, float value) : TensorData(parameter.Name, ElementType.Float32, parameter.Shape)
    {
        public override void Read(long offset, Span<byte> bytes) => System.Runtime.InteropServices.MemoryMarshal.Cast<byte, float>(bytes).Fill(value);
    }
}
