using System.Collections.Immutable;

namespace ActorLlama.Node;

/// <summary>What starts a node. <paramref name="Overrides"/>: <c>key=value</c> settings over the file's.</summary>
/// <param name="ConfigFile">A HOCON file over the reference, or null.</param>
/// <param name="Overrides">Settings that win over the file's, each <c>key=value</c>.</param>
/// <param name="Json">Print one line of JSON on standard output once the node's address is known.</param>
public sealed record NodeArguments(string? ConfigFile, ImmutableArray<string> Overrides, bool Json);
