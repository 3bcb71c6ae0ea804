using System.ComponentModel;
using Spectre.Console;
using Spectre.Console.Cli;

namespace ActorLlama.Cli;

/// <summary>The shape of a cluster of processes on this machine.</summary>
internal abstract class LocalClusterSettings : CommandSettings
{
    [CommandOption("--nodes <N>")]
    [Description("Node processes. Default: 1.")]
    public int Nodes { get; init; } = 1;

    [CommandOption("--expert-shards <S>")]
    [Description("Expert shards. Default: as many as devices have room.")]
    public int? ExpertShards { get; init; }

    [CommandOption("--stages <T>")]
    [Description("Stages of the trunk. Default: as few as fit.")]
    public int? Stages { get; init; }

    [CommandOption("--dtype <TYPE>")]
    [Description("Activations: float32 or bfloat16. Default: float32.")]
    public string? Dtype { get; init; }

    [CommandOption("--backend <NAME>")]
    [Description("Compute with cpu (own kernels) or torch (libtorch). Default: cpu.")]
    public string? Backend { get; init; }

    [CommandArgument(0, "[SETTING]")]
    [Description("key=value settings for every node, as in actorllama.node.devices=[[cpu:0,cpu:1]].")]
    public string[] Overrides { get; init; } = [];

    public override ValidationResult Validate()
    {
        if (Nodes < 1) return ValidationResult.Error($"--nodes is {Nodes}; it is at least 1.");
        if (ExpertShards is < 1) return ValidationResult.Error($"--expert-shards is {ExpertShards}; it is at least 1.");
        if (Stages is < 1) return ValidationResult.Error($"--stages is {Stages}; it is at least 1.");
        if (Dtype is not (null or "float32" or "bfloat16")) return ValidationResult.Error($"--dtype is \"{Dtype}\"; it is float32 or bfloat16.");
        if (Backend is not (null or "cpu" or "torch")) return ValidationResult.Error($"--backend is \"{Backend}\"; it is cpu or torch.");
        return ValidationResult.Success();
    }

    public LocalClusterOptions OptionsFor(string model, string? logs = null) => new(Nodes, model)
    {
        Stages = Stages,
        ExpertShards = ExpertShards,
        Dtype = Dtype,
        Backend = Backend,
        LogFolder = logs,
        Settings = [.. Overrides],
    };
}
