namespace ActorLlama.Cli;

/// <summary>What of <c>decode</c>'s options and flags does not go together.</summary>
internal static class DecodeUsage
{
    /// <summary>What is wrong with the command line, in one sentence, or null.</summary>
    public static string? Fault(DecodeCommand.Settings settings)
    {
        try
        {
            return settings.Flags.Length == 0 ? OptionFault(settings) : Fault(settings, settings.GivenFlags());
        }
        catch (InvalidDataException e)
        {
            return e.Message;
        }
    }

    /// <summary>What is wrong with options beside these flags, in one sentence, or null.</summary>
    public static string? Fault(DecodeCommand.Settings settings, RunFlags flags) => FlagFault(settings, flags) ?? FileFault(settings);

    private static string? OptionFault(DecodeCommand.Settings settings) =>
        new[] { settings.Prompt, settings.PromptTokens, settings.Prompts }.Count(source => source is not null) != 1
            ? "Give one of --prompt, --prompt-tokens and --prompts, or flags such as prompt=\"I love to\"."
        : settings.Stop.Contains("") ? "--stop is empty. Give some text."
        : settings.LogProbs is < 0 or > 20 ? $"--logprobs is {settings.LogProbs}; it is from 0 to 20."
        : settings.LogProbs is not null && !settings.Json ? "--logprobs goes with --json. Give both."
        : FileFault(settings);

    private static string? FileFault(DecodeCommand.Settings settings) =>
        (settings.Prompts is null) != (settings.Out is null) ? "--prompts and --out go together. Give both."
        : settings.Sessions is not null && settings.Prompts is null ? "--sessions goes with --prompts. Leave it out."
        : settings.Sessions is < 1 ? $"--sessions is {settings.Sessions}; it is at least 1."
        : settings.Json && settings.Prompts is not null ? "--json prints one answer; --prompts writes JSON anyway. Leave it out."
        : null;

    /// <summary>Flags decide how tokens are chosen and how many: an option that says it too would be overruled in silence.</summary>
    private static string? FlagFault(DecodeCommand.Settings settings, RunFlags flags)
    {
        (string Option, bool IsGiven, string Instead)[] options =
        [
            ("--temperature", settings.Temperature is not null, "decode_sampling_temperature"),
            ("--top-p", settings.TopP is not null, "decode_sampling_nucleus_p"),
            ("--top-k", settings.TopK is not null, "decode_sampling_top_k"),
            ("--repetition-penalty", settings.RepetitionPenalty is not null, ""),
            ("--max-tokens", settings.MaxTokensGiven is not null, "max_target_length"),
            ("--prompt", settings.Prompt is not null, "prompt"),
            ("--seed", settings.Seed is not null, ""),
            ("--stop", settings.Stop.Length > 0, ""),
            ("--raw", settings.Raw, ""),
            ("--prompt-tokens", settings.PromptTokens is not null, ""),
            ("--logprobs", settings.LogProbs is not null, ""),
        ];
        foreach (var (option, _, instead) in options.Where(o => o.IsGiven))
            return $"{option} does not go with key=value flags. {(instead.Length > 0 ? $"Give {instead}=… instead" : "Leave it out")}, or give options only.";
        return settings.Prompts is not null && flags.Has("prompt") ? "--prompts and prompt=… exclude each other. Give one of them."
            : !flags.Has("load_parameters_path") ? null
            : settings.Model is not null ? "--model and load_parameters_path=… exclude each other. Give one of them."
            : settings.Cluster is not null ? "--cluster and load_parameters_path=… exclude each other. Give one of them."
            : null;
    }
}
