namespace ActorLlama.Benchmarks.Peers;

/// <summary>A program that is measured. Ids are random, each call's are its own, and no call finds what an earlier one left.</summary>
internal interface IPeer : IAsyncDisposable
{
    /// <summary>A row of logits for each position of a prompt.</summary>
    Task<IReadOnlyList<float[]>> LogitsAsync(int[] prompt);

    /// <summary>Prompt tokens a second: from the whole prompt to the logits of its last position.</summary>
    Task<double> PrefillAsync(int promptTokens);

    /// <summary>Tokens a second of all sequences together, each with 16 tokens of context before its first; all logits are read.</summary>
    Task<double> DecodeAsync(int sequences, int tokens);
}
