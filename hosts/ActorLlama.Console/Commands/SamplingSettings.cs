using System.ComponentModel;
using ActorLlama.Protocol;
using Spectre.Console;
using Spectre.Console.Cli;

namespace ActorLlama.Cli;

/// <summary>How tokens are chosen; what is not given is the model's own default.</summary>
internal abstract class SamplingSettings : SourceSettings
{
    public const int DefaultMaxTokens = 256;

    [CommandOption("--max-tokens <N>")]
    [Description("At most this many tokens are generated. Default: 256.")]
    public int? MaxTokensGiven { get; init; }

    public int MaxTokens => MaxTokensGiven ?? DefaultMaxTokens;

    [CommandOption("--temperature <T>")]
    [Description("0 always takes the likeliest token. Default: the model's own.")]
    public double? Temperature { get; init; }

    [CommandOption("--top-p <P>")]
    [Description("Keep the likeliest tokens up to this probability; 1 keeps all. Default: the model's own.")]
    public double? TopP { get; init; }

    [CommandOption("--top-k <K>")]
    [Description("Keep the K likeliest tokens; 0 keeps all. Default: the model's own.")]
    public int? TopK { get; init; }

    [CommandOption("--repetition-penalty <R>")]
    [Description("Divide the logits of tokens that the sequence holds by it, or multiply negative ones; 1 is off. Default: the model's own.")]
    public double? RepetitionPenalty { get; init; }

    [CommandOption("--seed <N>")]
    [Description("Equal seeds give equal text. Default: a random one.")]
    public ulong? Seed { get; init; }

    public override ValidationResult Validate()
    {
        if (base.Validate() is { Successful: false } wrong) return wrong;
        if (MaxTokens < 1) return ValidationResult.Error($"--max-tokens is {MaxTokens}; it is at least 1.");
        if (Temperature is { } t && !(t >= 0 && double.IsFinite(t))) return ValidationResult.Error($"--temperature is {t}; it is 0 or more.");
        if (TopP is { } p && !(p is > 0 and <= 1)) return ValidationResult.Error($"--top-p is {p}; it is above 0 and at most 1.");
        if (TopK is < 0) return ValidationResult.Error($"--top-k is {TopK}; it is 0 or more.");
        if (RepetitionPenalty is { } r && !(r > 0 && double.IsFinite(r))) return ValidationResult.Error($"--repetition-penalty is {r}; it is above 0, and 1 is off.");
        return ValidationResult.Success();
    }

    /// <summary>These settings over the model's.</summary>
    public SamplingOptions Over(SamplingOptions defaults) => defaults with
    {
        Temperature = Temperature ?? defaults.Temperature,
        TopP = TopP ?? defaults.TopP,
        TopK = TopK ?? defaults.TopK,
        Seed = Seed ?? (ulong)Random.Shared.NextInt64(),
        RepetitionPenalty = RepetitionPenalty ?? defaults.RepetitionPenalty,
    };
}
