using ActorLlama.Protocol;

namespace ActorLlama.Client;

/// <summary>
/// The generated id at <paramref name="Index"/> (from 0), the text it completes ("" inside a character or held back), and its
/// log-probabilities when the request asked for them.
/// </summary>
public readonly record struct GeneratedToken(int Index, int Id, string Text, TokenLogProbs? LogProbs = null);
