using ActorLlama.Model;
using ActorLlama.Text;
using ActorLlama.Training.Data;
using ActorLlama.Training.Reports;
using ActorLlama.Training.Runs;
using Spectre.Console;

namespace ActorLlama.Cli;

/// <summary>A run on this process's own device, from the flags to its end.</summary>
internal static class TrainJob
{
    /// <summary>Flags on which it depends which tokens a step sees.</summary>
    private static readonly string[] s_dataFlags =
    [
        "dataset_type", "dataset_path", "packing", "enable_data_shuffling", "data_shuffle_seed", "held_out_fraction", "max_target_length", "per_device_batch_size",
        "gradient_accumulation_steps",
    ];

    /// <summary>Exit code 0 when all steps are made, that of an interruption when it was asked to end before. Throws <see cref="InvalidDataException"/> for what a person can mend.</summary>
    public static async Task<int> RunAsync(RunFlags flags, int? threads, CancellationToken end)
    {
        var folder = TrainRules.FolderOf(flags);
        var start = RunStart.Of(folder, flags.Text("load_parameters_path"), flags.Text("load_full_state_path"), ShapeOf(flags));
        if (flags.Whole("max_target_length") is var length && length > start.Config.MaxPositions)
            throw new InvalidDataException($"Flags: max_target_length is {length}, above the model's context of {start.Config.MaxPositions} tokens. Lower it.");
        var slots = LocalPlan.SlotsOrRefuse(flags, start);
        var tokenizer = flags.Text("tokenizer_path") is { Length: > 0 } given ? given : start.Tokenizer;
        var data = await OpenDataAsync(DataOf(flags, start.Config, slots, tokenizer), end);
        var figures = FiguresOf(flags, start.Config);
        Tell(folder, start, data);
        using var metrics = MetricsOf(flags, folder);
        var reporter = new RunReporter(figures, start.Config, flags.Whole("steps"), metrics, Console.Out, LocalPlan.Memory);
        reporter.Begin();
        using var saver = flags.Truth("enable_checkpointing") ? new CheckpointSaver(folder!, flags.Truth("async_checkpointing")) : null;
        var options = OptionsOf(flags, start, slots, tokenizer);
        long next;
        try
        {
            next = await OnOwnThreadAsync(reporter, () =>
            {
                // For this thread alone.
                if (threads is { } limit) TorchDevices.LimitThreads(limit);
                using var trainer = LocalTraining.Start(flags, start);
                return new TrainingRun(trainer, data, options, reporter, TimeProvider.System).Run(start.FirstStep, saver, end);
            });
        }
        finally
        {
            reporter.End();
        }

        saver?.Finish();
        if (next == flags.Whole("steps")) return 0;
        Console.Error.WriteLine($"ended before step {next} of {flags.Whole("steps")}{(saver is null ? "" : "; the same command goes on from there")}");
        return CommandLine.Interrupted;
    }

    public static (string Name, string ConfigJson)? ShapeOf(RunFlags flags) =>
        flags.Text("model_name") is var name && name == "default" ? null : (name, File.ReadAllText(ProgramFiles.Shape(name)));

    private static async Task<DataSet> OpenDataAsync(DataSettings settings, CancellationToken end)
    {
        DataSet? data = null;
        await CountProgress.RunAsync((report, _) => data = DataSet.Open(settings, (read, total) => report("reading text", read, total), end));
        return data!;
    }

    public static DataSettings DataOf(RunFlags flags, LlamaConfig config, int slots, string? tokenizer) => new()
    {
        Type = flags.Text("dataset_type"),
        Path = flags.Text("dataset_path"),
        Tokenizer = tokenizer ?? "",
        Packing = flags.Truth("packing"),
        Shuffles = flags.Truth("enable_data_shuffling"),
        ShuffleSeed = flags.Whole("data_shuffle_seed"),
        HeldOutFraction = flags.Number("held_out_fraction"),
        Slots = slots,
        Length = flags.Whole("max_target_length"),
        Tokens = new TokenizerOptions(config.VocabSize, config.BosId, config.EosIds, config.PadId),
    };

    private static RunOptions OptionsOf(RunFlags flags, RunStart start, int slots, string? tokenizer)
    {
        var options = new RunOptions
        {
            Cadence = TrainRules.CadenceOf(flags),
            EvalSteps = flags.Whole("eval_steps"),
            NotFinite = TrainRules.NotFiniteOf(flags),
            ConfigJson = start.ConfigJson,
            Files = FilesOf(tokenizer),
            DataFlags = DataFlagsOf(flags),
            Slots = slots,
        };
        TellDifferences(start, options.DataFlags);
        return options;
    }

    /// <summary>Files that go with checkpoints.</summary>
    public static IReadOnlyDictionary<string, string> FilesOf(string? tokenizer) =>
        tokenizer is null ? new Dictionary<string, string>() : new Dictionary<string, string> { [Path.GetFileName(tokenizer)] = Path.GetFullPath(tokenizer) };

    public static IReadOnlyDictionary<string, string> DataFlagsOf(RunFlags flags) => s_dataFlags.ToDictionary(name => name, flags.Text);

    public static void TellDifferences(RunStart start, IReadOnlyDictionary<string, string> dataFlags)
    {
        // The global batch stays as it was, however many devices there are: only then does its share of a device differ.
        foreach (var difference in start.Record?.Differences(start.Record.Slots is null ? dataFlags : dataFlags.Where(flag => flag.Key != "per_device_batch_size").ToDictionary()) ?? [])
            Console.Error.WriteLine($"the data are not those the run began with: {difference}");
    }

    public static RunFigures FiguresOf(RunFlags flags, LlamaConfig config)
    {
        var (batch, length, microbatches) = (flags.Number("per_device_batch_size"), flags.Whole("max_target_length"), flags.Whole("gradient_accumulation_steps"));
        return new RunFigures(
            flags.Text("run_name"), ParameterTable.Of(config).Total, StepFlops.Of(config, batch, length, microbatches), length * batch * microbatches, config.IsMoe.Contains(true) ? config.Experts : 1);
    }

    /// <summary>Says what the run begins with. <paramref name="data"/>: null where others open it.</summary>
    public static void Tell(RunFolder? folder, RunStart start, DataSet? data)
    {
        Console.Error.WriteLine(start switch
        {
            { Checkpoint: null } => "starting with fresh weights",
            { HasOptimizer: true } => $"going on with step {start.FirstStep} from {start.Checkpoint}",
            _ => $"starting with the weights of {start.Checkpoint}",
        });
        if (data?.Training is TextData text)
            Console.Error.WriteLine(
                $"{text.Text.Targets} tokens to learn from, an epoch is {text.StepsPerEpoch} steps; {data.HeldOut?.Text.Targets ?? 0} tokens are held out");
        if (folder is not null) Console.Error.WriteLine($"the run's folder is {folder.Path}");
    }

    /// <summary>Where metrics go, or null.</summary>
    public static string? MetricsPath(RunFlags flags, RunFolder? folder) => flags.Text("metrics_file") is { Length: > 0 } named ? named : folder?.Metrics;

    private static MetricsFile? MetricsOf(RunFlags flags, RunFolder? folder)
    {
        if (MetricsPath(flags, folder) is not { } path) return null;
        Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
        return new MetricsFile(path);
    }

    /// <summary>Runs on a thread of its own, and shows it where somebody watches.</summary>
    private static Task<long> OnOwnThreadAsync(RunReporter reporter, Func<long> run) => ShowAsync(
        reporter, () => Task.Factory.StartNew(run, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default));

    /// <summary>Shows a run where somebody watches.</summary>
    public static async Task<T> ShowAsync<T>(RunReporter reporter, Func<Task<T>> runAsync)
    {
        if (!Screen.IsInteractive || !Screen.CanMoveCursor) return await runAsync();
        return await Terminal.Out.Live(new Spectre.Console.Text("")).StartAsync(async live =>
        {
            reporter.Watcher = progress => live.UpdateTarget(RunView.Of(progress, Screen.Columns, Screen.Rows));
            return await runAsync();
        });
    }
}
