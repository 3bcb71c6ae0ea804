using System.Collections.Immutable;
using System.ComponentModel;
using ActorLlama.Checkpoints;
using ActorLlama.Model;
using ActorLlama.Planning.Placement;
using ActorLlama.Protocol;
using ActorLlama.Runtime.Configuration;
using ActorLlama.Runtime.Nodes;
using Spectre.Console;
using Spectre.Console.Cli;

namespace ActorLlama.Cli;

/// <summary><c>actorllama plan</c>: what would go where, without starting anything and without weights. Exit code 1 when it does not fit.</summary>
internal sealed class PlanCommand : Command<PlanCommand.Settings>
{
    internal sealed class Settings : CommandSettings
    {
        [CommandOption("--model-name <NAME>")]
        [Description("A shape of config/models, or the path of a config.json; its weights are taken to be bfloat16.")]
        public string? ModelName { get; init; }

        [CommandOption("--model <DIR>")]
        [Description("A checkpoint folder.")]
        public string? Model { get; init; }

        [CommandOption("--devices <LIST>")]
        [Description("Memory budgets of devices: 8x80GiB, 2x8x80GiB (nodes, devices of each), 2x80GiB:trunk,8x40GiB:experts. A part without a number of nodes makes nodes of 8.")]
        public string? Devices { get; init; }

        [CommandOption("--config <FILE>")]
        [Description("A node's HOCON file instead: its devices on plan.nodes nodes, its plan and its activations.")]
        public string? Config { get; init; }

        [CommandOption("--pipelines <P>")]
        [Description("Data-parallel pipelines. Default: 1.")]
        public int? Pipelines { get; init; }

        [CommandOption("--stages <S>")]
        [Description("Stages of each pipeline. Default: as few as fit.")]
        public int? Stages { get; init; }

        [CommandOption("--expert-shards <N>")]
        [Description("Expert shards. Default: one for each device that has room.")]
        public int? ExpertShards { get; init; }

        [CommandOption("--replicas <R>")]
        [Description("Copies of each expert shard. Default: 1.")]
        public int? Replicas { get; init; }

        [CommandOption("--kv-positions <N>")]
        [Description("Tokens of KV cache that each pipeline must have room for. Default: 16384.")]
        public int? KvPositions { get; init; }

        [CommandOption("--kv-sequences <N>")]
        [Description("Sequences that share this room. Default: 16.")]
        public int? KvSequences { get; init; }

        [CommandOption("--dtype <TYPE>")]
        [Description("Activations and KV cache: float32 or bfloat16. Default: bfloat16.")]
        public string? Dtype { get; init; }

        [CommandOption("--json")]
        [Description("Print one line of JSON.")]
        public bool Json { get; init; }

        public override ValidationResult Validate() =>
            (ModelName is null) == (Model is null) ? ValidationResult.Error("Give one of --model-name and --model.")
            : (Devices is null) == (Config is null) ? ValidationResult.Error("Give one of --devices and --config.")
            : Dtype is not (null or "float32" or "bfloat16") ? ValidationResult.Error($"--dtype is \"{Dtype}\"; it is float32 or bfloat16.")
            : ValidationResult.Success();
    }

    public override int Execute(CommandContext context, Settings settings, CancellationToken cancellationToken)
    {
        var file = settings.Config is { } config
            ? NodeOptionsReader.Read(HoconFiles.Load(config, settings.Model is { } model ? [$"actorllama.model.path={model}"] : []))
            : null;
        var devices = file is null ? DeviceList.Parse(settings.Devices!) : DeviceList.Of(file, file.Supervisor.ExpectedNodes);
        var activations = (settings.Dtype, file) switch
        {
            ("float32", _) => ActivationType.Float32,
            (null, not null) => file.Model.Dtype,
            _ => ActivationType.BFloat16,
        };
        var dtype = activations == ActivationType.Float32 ? "float32" : "bfloat16";
        var shape = Shape(settings, activations);
        var options = Options(settings, file?.Supervisor.Plan ?? new PlanOptions());
        switch (PlacementRules.Plan(shape, devices, options, PlacementPlan.Empty, 1))
        {
            case PlacementResult.Placed { Plan: var plan }:
                var view = new PlanView(shape, dtype, options, devices, plan, PlanReportRules.Of(shape, devices, options, plan));
                if (settings.Json) JsonLine.Write(view.ToJson());
                else view.WriteText(Console.Out);
                return 0;
            case PlacementResult.DoesNotFit refused:
                return Refuse(settings.Json, shape, dtype, refused, refused.Needs.IsEmpty ? [] : PlanReportRules.WhatWouldHelp(shape, devices, options));
            default:
                throw new InvalidOperationException("Plan: neither placed nor refused.");
        }
    }

    private static int Refuse(bool json, ModelShape shape, string dtype, PlacementResult.DoesNotFit refused, ImmutableArray<string> help)
    {
        if (!json) throw new InvalidDataException(help.IsEmpty ? refused.Reason : $"{refused.Reason} Each of these would do: {string.Join("; ", help)}.");
        JsonLine.Write(PlanView.RefusalToJson(shape, dtype, refused, help));
        return CommandLine.Failed;
    }

    private static PlanOptions Options(Settings settings, PlanOptions under) => new(
        settings.Pipelines ?? under.Pipelines, settings.Stages ?? under.Stages, settings.ExpertShards ?? under.ExpertShards,
        settings.Replicas ?? under.Replicas, settings.KvPositions ?? under.KvPositions, settings.KvSequences ?? under.KvSequences);

    private static ModelShape Shape(Settings settings, ActivationType activations)
    {
        if (settings.Model is not { } folder) return ProgramFiles.ModelShape(settings.ModelName!, activations);
        using var checkpoint = CheckpointDirectory.Open(folder);
        return ModelShapes.Of(checkpoint, activations);
    }
}
