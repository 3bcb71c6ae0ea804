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
}
