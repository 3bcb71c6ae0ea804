using ActorLlama.TestKit;

namespace ActorLlama.Text.Tests;

/// <summary>The two tokenizers of the golden data, loaded once.</summary>
internal static class Tokenizers
{
    private static readonly Lazy<LlamaTokenizer> s_full = new(() => LlamaTokenizer.Load(FullPath));
    private static readonly Lazy<LlamaTokenizer> s_bard = new(() => LlamaTokenizer.Load(BardPath, new TokenizerOptions(4096, 2048, [2049, 2055, 2056], 2066)));

    public static string FullPath => Shared.PathOf("fixtures", "tokenizer", "tokenizer.model");

    public static string BardPath => Shared.PathOf("data", "bard", "tokenizer.model");

    /// <summary>The published one: 200,000 entries.</summary>
    public static LlamaTokenizer Full => s_full.Value;

    /// <summary>The sample model's: 2048 entries.</summary>
    public static LlamaTokenizer Bard => s_bard.Value;
}
