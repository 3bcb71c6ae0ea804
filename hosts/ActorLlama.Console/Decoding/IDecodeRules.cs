using System.Collections.Immutable;
using ActorLlama.Client;
using ActorLlama.Protocol;

namespace ActorLlama.Cli;

/// <summary>How <c>decode</c> makes a request of a prompt: as its options say, or as MaxText's flags do.</summary>
internal interface IDecodeRules
{
    /// <summary>The request for a prompt's text. Throws <see cref="InvalidDataException"/> when this model cannot take it.</summary>
    GenerationRequest RequestFor(string prompt, ClusterProtocol.Model model);

    /// <summary>Why the prompt cannot be decoded, now that its ids are known, or null.</summary>
    string? PromptFault(ImmutableArray<int> ids, ClusterProtocol.Model model);

    /// <summary>The texts of one answer's tokens.</summary>
    StreamText NewText();

    /// <summary>Waits for the prompt's ids; throws <see cref="InvalidDataException"/> for a prompt that cannot be decoded, after ending its session.</summary>
    async Task CheckPromptAsync(GenerationStream stream, ClusterProtocol.Model model)
    {
        if (PromptFault(await stream.PromptTokens, model) is not { } fault) return;
        stream.Cancel();
        await stream.Completion;
        throw new InvalidDataException(fault);
    }
}
