using System.Collections.Immutable;
using System.Diagnostics;
using ActorLlama.Checkpoints;
using ActorLlama.Client;
using ActorLlama.Protocol;
using ActorLlama.Training.Runs;

namespace ActorLlama.Cli;

/// <summary>A run over the nodes of a cluster, its own or a running one, from the flags to its end. The cluster makes it; this follows it.</summary>
internal static class ClusterTraining
{
    private static readonly TimeSpan s_answer = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan s_forming = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan s_poll = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan s_memory = TimeSpan.FromSeconds(2);

    /// <summary>Exit code 0 when all steps are made, that of an interruption when it was asked to end before. Throws <see cref="InvalidDataException"/> for what a person can mend.</summary>
    public static async Task<int> RunAsync(TrainCommand.Settings settings, RunFlags flags, CancellationToken end)
    {
        var folder = TrainRules.FolderOf(flags);
        var start = RunStart.Of(folder, flags.Text("load_parameters_path"), flags.Text("load_full_state_path"), TrainJob.ShapeOf(flags));
        if (settings.Cluster is { } address)
        {
            await using var connection = await Attachment.ConnectAsync(address, settings.Certificates, end);
            return await RunAsync(settings, flags, folder, start, connection, end);
        }

        LocalPlan.SlotsOrRefuse(flags, start, settings.Nodes!.Value * (settings.Devices ?? 1));
        var shape = Directory.CreateTempSubdirectory("actorllama-shape-");
        try
        {
            await File.WriteAllTextAsync(Path.Combine(shape.FullName, "config.json"), start.ConfigJson, end);
            await using var cluster = await LocalCluster.StartAsync(NodesOf(settings, shape.FullName), end);
            foreach (var node in cluster.Nodes) await Console.Error.WriteLineAsync($"{node.Name}  pid {node.Pid}  {node.Address}  log {node.Log}");
            await using var connection = await cluster.ConnectAsync(end);
            return await RunAsync(settings, flags, folder, start, connection, end);
        }
        finally
        {
            shape.Delete(recursive: true);
        }
    }

    private static LocalClusterOptions NodesOf(TrainCommand.Settings settings, string shape) => new(settings.Nodes!.Value, shape)
    {
        Serves = false,
        ConfigFile = settings.FlagFile,
        Settings =
        [
            .. settings.Devices is { } devices ? [$"actorllama.node.devices=[{string.Join(", ", Enumerable.Range(0, devices).Select(i => $"\"cpu:{i}\""))}]"] : Array.Empty<string>(),
            .. settings.Threads is { } threads ? [$"actorllama.node.device-defaults.threads={threads}"] : Array.Empty<string>(),
        ],
    };

    private static async Task<int> RunAsync(TrainCommand.Settings settings, RunFlags flags, RunFolder? folder, RunStart start, ClusterConnection connection, CancellationToken end)
    {
        var devices = await DevicesAsync(connection, settings.Nodes is { } nodes ? nodes * (settings.Devices ?? 1) : 1, end);
        var run = SettingsOf(settings, flags, folder, start, devices.Length);
        TrainJob.Tell(folder, start, null);
        TrainJob.TellDifferences(start, run.DataFlags);
        var memory = devices;
        var reporter = new RunReporter(run.Figures, start.Config, run.Cadence.Steps, null, Console.Out, () => memory);
        reporter.Begin();
        var follower = new RunFollower(connection, run, reporter, s_answer, s_poll);
        using var watching = CancellationTokenSource.CreateLinkedTokenSource(CancellationToken.None);
        var measuring = MeasureAsync(connection, now => memory = now, watching.Token);
        try
        {
            return await TrainJob.ShowAsync(reporter, () => follower.FollowAsync(end));
        }
        finally
        {
            reporter.End();
            await watching.CancelAsync();
            await measuring;
        }
    }

    /// <summary>The cluster's devices, once there are as many as wanted: memory in use and at hand of each one's node. Throws <see cref="InvalidDataException"/> when there never are.</summary>
    private static async Task<ImmutableArray<(string Name, long Used, long Total)>> DevicesAsync(ClusterConnection connection, int wanted, CancellationToken end)
    {
        var clock = Stopwatch.StartNew();
        while (true)
        {
            var status = await connection.GetStatusAsync(s_answer, end);
            var devices = DevicesOf(status);
            if (devices.Length >= wanted && status.State != ClusterState.Forming) return devices;
            if (clock.Elapsed > s_forming)
                throw new InvalidDataException($"Training: after {s_forming.TotalSeconds} s the cluster is {status.State} with {devices.Length} devices, and {wanted} are wanted. {status.Reason} Look into its nodes' logs.");
            await Task.Delay(s_poll, end);
        }
    }

    private static ImmutableArray<(string Name, long Used, long Total)> DevicesOf(ClusterProtocol.Status status) =>
        [.. status.Nodes.SelectMany(node => node.Devices.Select(device => ($"{node.Name} {device.Name}", node.Counters.WorkingSetBytes / node.Devices.Length, device.MemoryBytes)))];

    private static async Task MeasureAsync(ClusterConnection connection, Action<ImmutableArray<(string, long, long)>> tell, CancellationToken end)
    {
        try
        {
            while (true)
            {
                await Task.Delay(s_memory, end);
                if (await LocalCluster.TryGetStatusAsync(connection, end) is { } status) tell(DevicesOf(status));
            }
        }
        catch (OperationCanceledException)
        {
            // The run is over.
        }
    }

    private static RunSettings SettingsOf(TrainCommand.Settings settings, RunFlags flags, RunFolder? folder, RunStart start, int devices)
    {
        var tokenizer = flags.Text("tokenizer_path") is { Length: > 0 } given ? given : start.Tokenizer;
        var dataFlags = TrainJob.DataFlagsOf(flags);
        var plan = LocalPlan.OptionsOf(flags, start) with { ExpertShards = settings.ExpertShards };
        return new RunSettings
        {
            RunName = flags.Text("run_name"),
            ConfigJson = start.ConfigJson,
            Options = LocalTraining.OptionsOf(flags, start.Config),
            Data = FullPaths(TrainJob.DataOf(flags, start.Config, 1, tokenizer)),
            Cadence = TrainRules.CadenceOf(flags),
            EvalSteps = flags.Whole("eval_steps"),
            Plan = plan,
            Figures = TrainJob.FiguresOf(flags, start.Config),
            Initial = new StateId(OriginOf(start, flags), start.FirstStep, start.Record?.Updates ?? 0),
            Checkpoint = start.Checkpoint is { } checkpoint ? Path.GetFullPath(checkpoint) : null,
            HasOptimizer = start.HasOptimizer,
            Seed = flags.Whole("init_weights_seed"),
            Folder = folder is null ? null : Path.GetFullPath(folder.Path),
            Metrics = TrainJob.MetricsPath(flags, folder) is { } metrics ? Path.GetFullPath(metrics) : null,
            SavesAsync = flags.Truth("async_checkpointing"),
            NotFinite = TrainRules.NotFiniteOf(flags),
            MinDevices = devices,
            WaitsForReplacement = flags.Truth("wait_for_replacement"),
            Files = TrainJob.FilesOf(tokenizer).ToImmutableDictionary(),
            DataFlags = dataFlags.ToImmutableDictionary(),
        };
    }

    private static ActorLlama.Training.Data.DataSettings FullPaths(ActorLlama.Training.Data.DataSettings data) => data with
    {
        Path = string.Join(',', data.Path.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Select(Path.GetFullPath)),
        Tokenizer = data.Tokenizer.Length == 0 ? "" : Path.GetFullPath(data.Tokenizer),
    };

    /// <summary>What tells one beginning from another.</summary>
    private static string OriginOf(RunStart start, RunFlags flags)
    {
        if (start.Checkpoint is not { } folder) return $"fresh weights of seed {flags.Text("init_weights_seed")}";
        using var checkpoint = CheckpointDirectory.Open(folder);
        return checkpoint.Digest;
    }
}
