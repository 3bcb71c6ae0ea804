using System.Collections.Immutable;
using ActorLlama.Client;
using ActorLlama.Protocol;

namespace ActorLlama.Cli;

/// <summary>
/// Answers the prompts of a file, several sessions at once, into a file of answers. A cluster that is busy is asked again when it says;
/// a prompt that cannot be answered is told of in the end; anything else ends the run, and a rerun goes on behind what is answered.
/// </summary>
internal sealed class BatchDecoding(Attachment attachment, IDecodeRules rules, AnswerFile answers, int sessions)
{
    /// <summary>A prompt that is only told "busy" for this long is given up.</summary>
    private static readonly TimeSpan s_busyFor = TimeSpan.FromMinutes(10);
    private readonly Lock _gate = new();
    private readonly SortedDictionary<int, string> _faults = [];

    /// <summary>What is wrong with prompts that could not be answered, by line.</summary>
    public IReadOnlyDictionary<int, string> Faults => _faults;

    /// <summary>Runs to the end. <paramref name="onAnswer"/> is called by one thread at a time, with the number of tokens of each answer.</summary>
    public Task RunAsync(ImmutableArray<FilePrompt> prompts, Action<int> onAnswer, CancellationToken cancellation) => Parallel.ForEachAsync(
        prompts.Where(prompt => !answers.Answered.Contains(prompt.Number)),
        new ParallelOptions { MaxDegreeOfParallelism = sessions, CancellationToken = cancellation },
        async (prompt, cancel) => await AnswerAsync(prompt, onAnswer, cancel));

    private async Task AnswerAsync(FilePrompt prompt, Action<int> onAnswer, CancellationToken cancellation)
    {
        try
        {
            var request = rules.RequestFor(prompt.Text, attachment.Model) with { BusyTimeout = s_busyFor };
            var (result, text) = await DecodeAsync(request, cancellation);
            lock (_gate)
            {
                answers.Add(new
                {
                    line = prompt.Number,
                    prompt = prompt.Text,
                    text,
                    tokens = result.Tokens,
                    finish_reason = Names.Of(result.Reason),
                    prompt_tokens = result.PromptTokens.Length,
                    seed = request.Sampling?.Seed,
                });
                onAnswer(result.Tokens.Length);
            }
        }
        catch (Exception e) when (e is InvalidDataException or GenerationFailedException { Reason: RefusalReason.Invalid })
        {
            lock (_gate) _faults[prompt.Number] = e.Message;
        }
    }

    private async Task<(GenerationResult Result, string Text)> DecodeAsync(GenerationRequest request, CancellationToken cancellation)
    {
        var stream = attachment.Connection.OpenSession(request);
        using var onEnd = cancellation.Register(stream.Cancel);
        var text = rules.NewText();
        var all = new System.Text.StringBuilder();
        await rules.CheckPromptAsync(stream, attachment.Model);
        await foreach (var token in stream) all.Append(text.Push(token));
        var result = await stream.Completion;
        cancellation.ThrowIfCancellationRequested();
        return (result, all.Append(text.Finish(result)).ToString());
    }
}
