using System.Diagnostics;
using System.Globalization;
using System.Text;
using ActorLlama.Client;
using ActorLlama.Protocol;

namespace ActorLlama.Cli;

/// <summary>One prompt: its answer as text, or as lines of JSON.</summary>
internal static class DecodeOne
{
    public static async Task<int> RunAsync(DecodeJob job, CancellationToken cancellation)
    {
        var (settings, rules, json) = (job.Settings, job.Rules, job.Settings.Json);
        var ids = settings.PromptTokens is { } list ? Ids(list) : null;
        var prompt = job.Flags?.Text("prompt") ?? settings.Prompt;
        if (prompt is { Length: 0 }) throw new InvalidDataException("Prompt: it is empty. Give some text.");
        await using var attachment = await job.AttachAsync(cancellation);
        var request = ids is null
            ? rules.RequestFor(prompt!, attachment.Model)
            : ((OptionRules)rules).RequestFor(GenerationRequest.Tokens(ids), attachment.Model);
        var clock = Stopwatch.StartNew();
        var stream = attachment.Connection.OpenSession(request);
        using var onEnd = cancellation.Register(stream.Cancel);
        if (job.FlagRules is not null)
        {
            await rules.CheckPromptAsync(stream, attachment.Model);
            if (!json) Write($"Input `{prompt}` -> `");
        }

        var text = rules.NewText();
        var all = new StringBuilder();
        await foreach (var token in stream)
        {
            var part = text.Push(token);
            all.Append(part);
            if (json) JsonLine.Write(TokenJson(token, part));
            else Write(part);
        }

        var result = await stream.Completion;
        var tail = text.Finish(result);
        all.Append(tail);
        if (json) WriteJson(result, all.ToString(), clock.Elapsed);
        else Write($"{tail}{(job.FlagRules is null ? "" : "`")}{Environment.NewLine}");
        if (result.Reason == FinishReason.Cancelled) return CommandLine.Interrupted;
        return job.FlagRules?.AnswerFault(all.ToString()) is { } wrong ? throw new InvalidDataException(wrong) : 0;
    }

    /// <summary>Throws <see cref="InvalidDataException"/> for an empty list and what is no id.</summary>
    private static int[] Ids(string list)
    {
        var parts = list.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        if (parts.Length == 0) throw new InvalidDataException("Prompt: it is empty. Give token ids, such as 1,2,3.");
        return [.. parts.Select(p => int.TryParse(p, NumberStyles.None, CultureInfo.InvariantCulture, out var id)
            ? id
            : throw new InvalidDataException($"Prompt: \"{p}\" is not a token id. Ids are whole numbers, such as 1,2,3."))];
    }

    private static void Write(string text)
    {
        Console.Out.Write(text);
        Console.Out.Flush();
    }

    private static object TokenJson(GeneratedToken token, string text) => token.LogProbs is not { } likely
        ? new { index = token.Index, id = token.Id, text }
        : new
        {
            index = token.Index,
            id = token.Id,
            text,
            logprob = likely.LogProb,
            top_logprobs = likely.TopIds.Zip(likely.TopLogProbs, (id, logprob) => new { id, logprob }),
        };

    private static void WriteJson(GenerationResult result, string text, TimeSpan elapsed) => JsonLine.Write(new
    {
        prompt_tokens = result.PromptTokens,
        tokens = result.Tokens,
        text,
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
