using System.ComponentModel;
using Spectre.Console;
using Spectre.Console.Cli;

namespace ActorLlama.Cli;

/// <summary>
/// <c>actorllama decode</c>: one prompt, one answer on standard output; or a file of prompts and a file of answers. With MaxText's flags
/// (<c>key=value</c>) it decodes as MaxText does.
/// </summary>
internal sealed class DecodeCommand : AsyncCommand<DecodeCommand.Settings>
{
    internal sealed class Settings : SamplingSettings
    {
        public const int DefaultSessions = 8;

        [CommandArgument(0, "[FLAGS]")]
        [Description(FlagArguments.Description + ": \"config/decode.conf prompt=hello\".")]
        public string[] Flags { get; init; } = [];

        [CommandOption("--prompt <TEXT>")]
        [Description("Text to complete; for an Instruct model one message of a user.")]
        public string? Prompt { get; init; }

        [CommandOption("--prompt-tokens <IDS>")]
        [Description("Token ids as they are, such as 1,2,3.")]
        public string? PromptTokens { get; init; }

        [CommandOption("--prompts <FILE>")]
        [Description("A prompt on each line, or in a .jsonl an object with a \"prompt\". Goes with --out.")]
        public string? Prompts { get; init; }

        [CommandOption("--out <FILE>")]
        [Description("Where the answers to --prompts go, a line of JSON each. What it answers already is not decoded again.")]
        public string? Out { get; init; }

        [CommandOption("--sessions <N>")]
        [Description("Prompts of --prompts that are decoded at once. Default: 8.")]
        public int? Sessions { get; init; }

        [CommandOption("--raw")]
        [Description("Complete the prompt's text also with an Instruct model.")]
        public bool Raw { get; init; }

        [CommandOption("--stop <TEXT>")]
        [Description("End before this text. May be given several times.")]
        public string[] Stop { get; init; } = [];

        [CommandOption("--json")]
        [Description("Print one line of JSON per token and one of the result instead of text.")]
        public bool Json { get; init; }

        [CommandOption("--logprobs <N>")]
        [Description("With --json: each token's log-probability and those of the N likeliest, 0 to 20.")]
        public int? LogProbs { get; init; }

        /// <summary>The settings file before the flags, or null.</summary>
        public string? FlagFile => FlagArguments.FileOf(Flags);

        /// <summary>The flags as they were given, without those of the file. Throws <see cref="InvalidDataException"/>.</summary>
        public RunFlags GivenFlags() => FlagArguments.GivenOf(Flags);

        public override ValidationResult Validate() =>
            base.Validate() is { Successful: false } wrong ? wrong
            : DecodeUsage.Fault(this) is { } fault ? ValidationResult.Error(fault)
            : ValidationResult.Success();
    }

    public override async Task<int> ExecuteAsync(CommandContext context, Settings settings, CancellationToken cancellationToken)
    {
        var job = DecodeJob.Of(settings);
        using var ended = new EndSignals();
        return settings.Prompts is null ? await DecodeOne.RunAsync(job, ended.Token) : await DecodeFile.RunAsync(job, ended.Token);
    }
}
