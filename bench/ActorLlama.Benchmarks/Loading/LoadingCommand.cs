using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using ActorLlama.Checkpoints;
using ActorLlama.Model;
using ActorLlama.Runtime.Nodes;
using Spectre.Console.Cli;

namespace ActorLlama.Benchmarks.Loading;

/// <summary>How long a whole model takes to load on one CPU device, from files in the page cache, and what memory of its own it then holds.</summary>
internal sealed class LoadingCommand : Command<LoadingCommand.Settings>
{
    internal sealed class Settings : CommandSettings
    {
        [CommandArgument(0, "<DIR>")]
        [Description("Checkpoints, each in any layout.")]
        public string[] Folders { get; init; } = [];

        [CommandOption("--runs <N>")]
        [Description("Loads of each. Default: 5.")]
        public int Runs { get; init; } = 5;

        [CommandOption("--mapped")]
        [Description("Read weights where they lie in files, as with actorllama.model.weight-memory=mapped. Without: copied, as nodes do by default.")]
        public bool Mapped { get; init; }
    }

    /// <summary>A line per folder: layout, bytes of weights, best and worst seconds of the runs, bytes copied, growth of anonymous memory.</summary>
    public override int Execute(CommandContext context, Settings settings, CancellationToken cancellationToken)
    {
        foreach (var folder in settings.Folders)
        {
            var runs = Enumerable.Range(0, settings.Runs).Select(_ => Once(folder, copies: !settings.Mapped)).ToList();
            var (layout, bytes, copied) = (runs[0].Layout, runs[0].Bytes, runs[0].Copied);
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"{layout,-12} {bytes / 1e9:0.00} GB  {runs.Min(run => run.Seconds):0.00} to {runs.Max(run => run.Seconds):0.00} s  "
                + $"cpu {runs.Min(run => run.CpuSeconds):0.00} s  copied {copied / 1e6:0} MB  anonymous {runs.Max(run => run.Anonymous) / 1e6:0} MB  {folder}"));
        }
        return 0;
    }

    private static (string Layout, long Bytes, double Seconds, double CpuSeconds, long Copied, long Anonymous) Once(string folder, bool copies)
    {
        var (before, cpu) = (ProcessFigures.PrivateBytes(), Environment.CpuUsage.TotalTime);
        var clock = Stopwatch.StartNew();
        using var checkpoint = CheckpointDirectory.Open(folder);
        using var backend = new CpuBackend(0, Environment.ProcessorCount, ActivationType.Float32, checkpoint.Config, copyWeights: copies);
        using var decoder = LlamaDecoder.Load(backend, checkpoint.Config, checkpoint);
        return (
            checkpoint.Layout + (checkpoint.HasPanels ? ", packed" : ""), decoder.Bytes, clock.Elapsed.TotalSeconds,
            (Environment.CpuUsage.TotalTime - cpu).TotalSeconds, decoder.CopiedBytes, ProcessFigures.PrivateBytes() - before);
    }
}
