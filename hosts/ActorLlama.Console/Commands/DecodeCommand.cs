using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using ActorLlama.Client;
using ActorLlama.Protocol;
using Spectre.Console;
using Spectre.Console.Cli;

namespace ActorLlama.Cli;

/// <summary><c>actorllama decode</c>: one prompt, one answer on standard output.</summary>
internal sealed class DecodeCommand : AsyncCommand<DecodeCommand.Settings>
{
    internal sealed class Settings : SamplingSettings
    {
        [CommandOption("--prompt <TEXT>")]
        [Description("Text to complete; for an Instruct model one message of a user.")]
        public string? Prompt { get; init; }

        [CommandOption("--prompt-tokens <IDS>")]
        [Description("Token ids as they are, such as 1,2,3.")]
        public string? PromptTokens { get; init; }

        [CommandOption("--raw")]
        [Description("Complete the prompt's text also with an Instruct model.")]
        public bool Raw { get; init; }

        [CommandOption("--stop <TEXT>")]
        [Description("End before this text. May be given several times.")]
        public string[] Stop { get; init; } = [];

        [CommandOption("--json")]
        [Description("Print one line of JSON per token and one of the result instead of text.")]
        public bool Json { get; init; }

        public override ValidationResult Validate()
        {
            if (base.Validate() is { Successful: false } wrong) return wrong;
            if ((Prompt is null) == (PromptTokens is null)) return ValidationResult.Error("Give one of --prompt and --prompt-tokens.");
            return Stop.Contains("") ? ValidationResult.Error("--stop is empty. Give some text.") : ValidationResult.Success();
        }
    }

    public override async Task<int> ExecuteAsync(CommandContext context, Settings settings, CancellationToken cancellationToken)
    {
        var ids = settings.PromptTokens is { } list ? ParseIds(list) : null;
        if (settings.Prompt is { Length: 0 }) throw new InvalidDataException("Prompt: it is empty. Give some text.");
        using var ended = new EndSignals();
        await using var attachment = await settings.AttachAsync(model => new LocalClusterOptions(1, model), ended.Token);
        var request = new GenerationRequest(PromptOf(settings, ids, attachment.Model), settings.MaxTokens)
        {
            Sampling = settings.Over(attachment.Model.DefaultSampling),
            StopStrings = [.. settings.Stop],
        };
        var clock = Stopwatch.StartNew();
        var stream = attachment.Connection.OpenSession(request);
        using var onEnd = ended.Token.Register(stream.Cancel);
        await foreach (var token in stream)
            if (settings.Json) JsonLine.Write(new { index = token.Index, id = token.Id, text = token.Text });
            else WriteText(token.Text);
        var result = await stream.Completion;
        if (settings.Json) WriteJson(result, clock.Elapsed);
        else WriteText(result.TailText + Environment.NewLine);
        return result.Reason == FinishReason.Cancelled ? CommandLine.Interrupted : 0;
    }

    private static Prompt PromptOf(Settings settings, int[]? ids, ClusterProtocol.Model model) =>
        ids is not null ? GenerationRequest.Tokens(ids)
        : model.IsInstruct && !settings.Raw ? GenerationRequest.Dialog([new ChatTurn("user", settings.Prompt!)])
        : GenerationRequest.Text(settings.Prompt!);

    private static int[] ParseIds(string list)
    {
        var parts = list.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        if (parts.Length == 0) throw new InvalidDataException("Prompt: it is empty. Give token ids, such as 1,2,3.");
        return [.. parts.Select(p => int.TryParse(p, NumberStyles.None, CultureInfo.InvariantCulture, out var id)
            ? id
            : throw new InvalidDataException($"Prompt: \"{p}\" is not a token id. Ids are whole numbers, such as 1,2,3."))];
    }

    private static void WriteText(string text)
    {
        Console.Out.Write(text);
        Console.Out.Flush();
    }

    private static void WriteJson(GenerationResult result, TimeSpan elapsed) => JsonLine.Write(new
    {
        prompt_tokens = result.PromptTokens,
        tokens = result.Tokens,
        text = result.Text,
        finish_reason = Names.Of(result.Reason),
        usage = new
        {
            prompt_tokens = result.PromptTokens.Length,
            completion_tokens = result.Tokens.Length,
            total_tokens = result.PromptTokens.Length + result.Tokens.Length,
        },
        timings = new
        {
            first_token_ms = Math.Round(result.Timings.FirstTokenMs, 3),
            total_ms = Math.Round(result.Timings.TotalMs, 3),
            client_ms = Math.Round(elapsed.TotalMilliseconds, 3),
            tokens_per_second = Math.Round(Rates.TokensPerSecond(result), 3),
        },
    });
}
