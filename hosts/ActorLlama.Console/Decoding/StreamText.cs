using ActorLlama.Client;
using ActorLlama.Text;

namespace ActorLlama.Cli;

/// <summary>The text of one answer as its tokens arrive: the session's, or that of a tokenizer of our own.</summary>
internal sealed class StreamText(LlamaTokenizer? own)
{
    private readonly GeneratedText? _own = own is null ? null : new GeneratedText(own, StopRules.None);

    public string Push(GeneratedToken token) => _own?.Push(token.Id) ?? token.Text;

    /// <summary>What was held back until the end.</summary>
    public string Finish(GenerationResult result) => _own?.Finish() ?? result.TailText;
}
