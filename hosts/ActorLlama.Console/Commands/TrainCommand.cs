using System.ComponentModel;
using Spectre.Console;
using Spectre.Console.Cli;

namespace ActorLlama.Cli;

/// <summary><c>actorllama train</c>: pre-trains a model, or goes on with one, as MaxText's flags say.</summary>
internal sealed class TrainCommand : AsyncCommand<TrainCommand.Settings>
{
    internal sealed class Settings : CommandSettings
    {
        [CommandArgument(0, "[FLAGS]")]
        [Description(FlagArguments.Description + ": \"config/train.conf steps=100\".")]
        public string[] Flags { get; init; } = [];

        [CommandOption("--nodes <N>")]
        [Description("Train over this many node processes on this machine. Default: in this process.")]
        public int? Nodes { get; init; }

        [CommandOption("--devices <N>")]
        [Description("With --nodes: devices of each, shares of the processor. Default: 1.")]
        public int? Devices { get; init; }

        [CommandOption("--threads <N>")]
        [Description("Processor threads of a device: equal numbers give equal bits on any number of devices. Default: in this process all, with --nodes what their settings say.")]
        public int? Threads { get; init; }

        [CommandOption("--cluster <ADDRESS>")]
        [Description("Train over the nodes of a running cluster, HOST:PORT, which find the same files under the same paths.")]
        public string? Cluster { get; init; }

        [CommandOption("--certificates <DIR>")]
        [Description("With --cluster: a client's folder of cert init.")]
        public string? Certificates { get; init; }

        [CommandOption("--expert-shards <S>")]
        [Description("With --nodes or --cluster: expert shards. Default: one for each device, as far as there are experts.")]
        public int? ExpertShards { get; init; }

        /// <summary>The settings file before the flags, or null.</summary>
        public string? FlagFile => FlagArguments.FileOf(Flags);

        public override ValidationResult Validate()
        {
            if (Nodes is < 1) return ValidationResult.Error($"--nodes is {Nodes}; it is at least 1.");
            if (Devices is < 1) return ValidationResult.Error($"--devices is {Devices}; it is at least 1.");
            if (Threads is < 1) return ValidationResult.Error($"--threads is {Threads}; it is at least 1.");
            if (Threads is not null && Cluster is not null) return ValidationResult.Error("--threads is what the nodes of --cluster were started with. Leave it out.");
            if (ExpertShards is < 1) return ValidationResult.Error($"--expert-shards is {ExpertShards}; it is at least 1.");
            if (Nodes is not null && Cluster is not null) return ValidationResult.Error("--nodes and --cluster exclude each other. Give one of them.");
            if (Devices is not null && Nodes is null) return ValidationResult.Error("--devices goes with --nodes. Give both.");
            if (ExpertShards is not null && Nodes is null && Cluster is null) return ValidationResult.Error("--expert-shards goes with --nodes or --cluster. Give one of them.");
            try
            {
                FlagArguments.GivenOf(Flags);
                return ValidationResult.Success();
            }
            catch (InvalidDataException e)
            {
                return ValidationResult.Error(e.Message);
            }
        }
    }

    public override async Task<int> ExecuteAsync(CommandContext context, Settings settings, CancellationToken cancellationToken)
    {
        var flags = FlagArguments.AllOf(settings.Flags);
        TrainRules.Check(flags);
        FlagArguments.TellWithoutEffect(flags, FlagUse.Train);
        using var ended = new EndSignals();
        return settings.Nodes is null && settings.Cluster is null ? await TrainJob.RunAsync(flags, settings.Threads, ended.Token) : await ClusterTraining.RunAsync(settings, flags, ended.Token);
    }
}
