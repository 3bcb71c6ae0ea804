using System.ComponentModel;
using ActorLlama.Checkpoints;
using ActorLlama.Model;
using ActorLlama.Planning.Placement;
using ActorLlama.Text;
using Spectre.Console;
using Spectre.Console.Cli;

namespace ActorLlama.Cli;

/// <summary><c>actorllama convert</c>: a checkpoint into another layout.</summary>
internal sealed class ConvertCommand : AsyncCommand<ConvertCommand.Settings>
{
    internal sealed class Settings : CommandSettings
    {
        [CommandOption("--from <DIR>", isRequired: true)]
        [Description("A checkpoint in any layout, which is found out.")]
        public string From { get; init; } = "";

        [CommandOption("--to <DIR>", isRequired: true)]
        [Description("A new folder.")]
        public string To { get; init; } = "";

        [CommandOption("--layout <NAME>", isRequired: true)]
        [Description("unscanned (for decoding), scanned (for training), hf, meta or gguf (the text model in one file for llama.cpp).")]
        public string Layout { get; init; } = "";

        [CommandOption("--mp <N>")]
        [Description("Number of shards of layout meta. Default: 1.")]
        public int? MetaParts { get; init; }

        [CommandOption("--dtype <TYPE>")]
        [Description("bfloat16 or float32. Default: as it is.")]
        public string? Dtype { get; init; }

        [CommandOption("--pack <KERNELS>")]
        [Description("cpu: matrices as the CPU kernels read them, so that nothing is copied when they are loaded. For --layout unscanned.")]
        public string? Pack { get; init; }

        [CommandOption("--shard-size <SIZE>")]
        [Description("Largest safetensors file, as in 500MB or 2GiB. Default: 5GiB.")]
        public string? ShardSize { get; init; }

        [CommandOption("--model-size <NAME>")]
        [Description("The shape of config/models that it must have, as in llama4-17b-16e.")]
        public string? ModelSize { get; init; }

        [CommandOption("--dry-run")]
        [Description("Print what would be written, write nothing.")]
        public bool DryRun { get; init; }

        [CommandOption("--resume")]
        [Description("Go on with a conversion that was cut off.")]
        public bool Resume { get; init; }

        public override ValidationResult Validate() =>
            !LayoutNames.Written.Contains(Layout) ? ValidationResult.Error($"--layout is \"{Layout}\"; it is one of {string.Join(", ", LayoutNames.Written)}.")
            : MetaParts is not null && Layout != LayoutNames.Meta ? ValidationResult.Error("--mp is for --layout meta.")
            : Pack is not (null or "cpu") ? ValidationResult.Error($"--pack is \"{Pack}\"; it is cpu.")
            : Pack is not null && Layout != LayoutNames.Unscanned ? ValidationResult.Error("--pack is for --layout unscanned.")
            : ShardSize is not null && Layout == LayoutNames.Gguf ? ValidationResult.Error("--shard-size is not for --layout gguf, which is one file.")
            : Dtype is not (null or "bfloat16" or "float32") ? ValidationResult.Error($"--dtype is \"{Dtype}\"; it is bfloat16 or float32.")
            : ShardSize is not null && ByteText.Parse(ShardSize) is null ? ValidationResult.Error($"--shard-size is \"{ShardSize}\"; write it as in 500MB or 2GiB.")
            : ValidationResult.Success();
    }

    public override async Task<int> ExecuteAsync(CommandContext context, Settings settings, CancellationToken cancellationToken)
    {
        var options = OptionsFor(settings);
        if (settings.DryRun)
        {
            Print(CheckpointConverter.Plan(settings.From, options, settings.To));
            return 0;
        }
        try
        {
            await ByteProgress.RunAsync((report, cancellation) => CheckpointConverter.Run(
                settings.From, settings.To,
                options with { Progress = done => report("weights", done), Hashing = done => report("checksums", done) }, cancellation));
        }
        catch (OperationCanceledException)
        {
            Console.Error.WriteLine($"Interrupted. What is finished lies hidden beside \"{settings.To}\"; --resume goes on with it.");
            throw;
        }
        if (settings.Layout == LayoutNames.Gguf) TellOfVision(settings.From);
        Console.Out.WriteLine(settings.To);
        return 0;
    }

    private static ConversionOptions OptionsFor(Settings settings) => new()
    {
        Layout = settings.Layout,
        MetaParts = settings.MetaParts ?? 1,
        Panels = settings.Pack is not null,
        Type = settings.Dtype switch { "bfloat16" => ElementType.BFloat16, "float32" => ElementType.Float32, _ => null },
        ShardBytes = settings.ShardSize is { } size ? ByteText.Parse(size)!.Value : ConversionOptions.DefaultShardBytes,
        Shape = settings.ModelSize is { } name ? (name, File.ReadAllText(ShapeFile(name))) : null,
        Resume = settings.Resume,
        Extras = Extras(settings),
        Vocabulary = settings.Layout == LayoutNames.Gguf ? Vocabulary(settings.From) : null,
    };

    private static void TellOfVision(string from)
    {
        using var checkpoint = CheckpointDirectory.Open(from);
        if (checkpoint.HasVision) Console.Error.WriteLine("The vision tower was left out: a GGUF file holds the text model.");
    }

    private static GgufVocabulary? Vocabulary(string from)
    {
        using var checkpoint = CheckpointDirectory.Open(from);
        if (checkpoint.TokenizerPath is not { } path) return null;
        var tokenizer = LlamaTokenizer.Load(path, new TokenizerOptions(checkpoint.Config.VocabSize));
        var ids = Enumerable.Range(0, tokenizer.VocabularySize).Select(id => (Id: id, Spelling: tokenizer.Spelling(id))).ToList();
        return new GgufVocabulary(
            [.. ids.Select(token => token.Spelling.Length > 0 ? token.Spelling : $"[PAD{token.Id}]")],
            [.. ids.Select(token => token.Spelling.Length == 0 ? GgufTokenKind.Unused : tokenizer.IsSpecial(token.Id) ? GgufTokenKind.Control : GgufTokenKind.Normal)],
            [.. tokenizer.Merges()]);
    }

    /// <summary>Other tools ask for <c>tokenizer.json</c>, which a checkpoint of Meta's lacks.</summary>
    private static Dictionary<string, Action<string>> Extras(Settings settings)
    {
        var (model, json) = (Path.Combine(settings.From, "tokenizer.model"), Path.Combine(settings.From, "tokenizer.json"));
        if (settings.Layout != LayoutNames.HuggingFace || !File.Exists(model) || File.Exists(json)) return [];
        return new()
        {
            ["tokenizer.json"] = path =>
            {
                var tokenizer = LlamaTokenizer.Load(model);
                using var stream = File.Create(path);
                tokenizer.WriteJson(stream);
            },
        };
    }

    private static string ShapeFile(string name) =>
        (name.IndexOfAny(['/', '\\']) < 0 ? ProgramFiles.FindConfig("models", $"{name}.json") : null) ?? throw new InvalidDataException(
            $"Convert: --model-size is \"{name}\"; shapes are {string.Join(", ", ProgramFiles.ShapeNames().Select(n => $"\"{n}\""))}.");

    private static void Print(ConversionPlan plan)
    {
        Console.Out.WriteLine($"{plan.FromLayout} to {plan.ToLayout}, {plan.Bytes} bytes of weights ({ByteText.Of(plan.Bytes)})");
        foreach (var file in plan.Weights) Console.Out.WriteLine($"{file.Name}  {file.Tensors} tensors  {ByteText.Of(file.Bytes)}");
        foreach (var name in plan.Others) Console.Out.WriteLine(name);
    }
}
