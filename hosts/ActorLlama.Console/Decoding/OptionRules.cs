using System.Collections.Immutable;
using ActorLlama.Client;
using ActorLlama.Protocol;

namespace ActorLlama.Cli;

/// <summary><c>decode</c> as its options say: an Instruct model answers a user's message, others complete text; the end token ends.</summary>
internal sealed class OptionRules(DecodeCommand.Settings settings) : IDecodeRules
{
    // Drawn once: every prompt of a file is then answered as it would be alone with this seed.
    private readonly ulong _seed = settings.Seed ?? (ulong)Random.Shared.NextInt64();

    public GenerationRequest RequestFor(string prompt, ClusterProtocol.Model model) => RequestFor(
        model.IsInstruct && !settings.Raw ? GenerationRequest.Dialog([new ChatTurn("user", prompt)]) : GenerationRequest.Text(prompt), model);

    public GenerationRequest RequestFor(Prompt prompt, ClusterProtocol.Model model) => new(prompt, settings.MaxTokens)
    {
        Sampling = settings.Over(model.DefaultSampling) with { Seed = _seed },
        StopStrings = [.. settings.Stop],
        LogProbs = settings.LogProbs,
    };

    public string? PromptFault(ImmutableArray<int> ids, ClusterProtocol.Model model) => null;

    public StreamText NewText() => new(null);
}
