using System.ComponentModel;
using ActorLlama.Runtime.Configuration;
using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Diagnosers;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Loggers;
using BenchmarkDotNet.Running;
using BenchmarkDotNet.Toolchains.InProcess.Emit;
using Spectre.Console.Cli;

namespace ActorLlama.Benchmarks.Micro;

internal sealed class MicroCommand : Command<MicroCommand.Settings>
{
    internal sealed class Settings : CommandSettings
    {
        [CommandOption("--filter <GLOB>")]
        [Description("Which benchmarks: all.")]
        [DefaultValue("*")]
        public string Filter { get; init; } = "*";
    }

    public override int Execute(CommandContext context, Settings settings, CancellationToken cancellation)
    {
        // As a node's: lane and floor alike.
        ProcessSettings.Apply();
        // In this process: what is measured needs the native libraries beside this program, and a build per benchmark takes longer than the runs.
        var config = ManualConfig.CreateEmpty()
            .AddJob(Job.ShortRun.WithToolchain(InProcessEmitToolchain.Instance).WithIterationCount(12).WithWarmupCount(4))
            .AddDiagnoser(MemoryDiagnoser.Default)
            .AddColumnProvider(DefaultColumnProviders.Instance)
            .AddColumn(StatisticColumn.Median, BaselineRatioColumn.RatioMean)
            .AddLogger(ConsoleLogger.Default)
            .WithArtifactsPath(Path.Combine(Path.GetTempPath(), "actorllama-bench"));
        var summaries = BenchmarkSwitcher.FromAssembly(typeof(MicroCommand).Assembly).Run(["--filter", settings.Filter], config);
        return summaries.Any() && summaries.All(s => !s.HasCriticalValidationErrors && s.Reports.All(r => r.Success)) ? 0 : 1;
    }
}
