using System.Collections.Immutable;

namespace ActorLlama.Checkpoints;

/// <summary>Files beside the weights that go with a checkpoint wherever it goes: tokenizer, settings, licence.</summary>
internal static class CarriedFiles
{
    private static readonly string[] Terms = ["LICENSE", "NOTICE", "USE_POLICY"];

    /// <summary>By name or by what their name begins with.</summary>
    private static readonly string[] Names =
    [
        "tokenizer.model", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "generation_config.json", "chat_template.", "preprocessor_config.json",
        "processor_config.json", .. Terms,
    ];

    /// <summary>Paths of those of a folder that go into a layout, sorted. A GGUF file has its tokenizer inside.</summary>
    public static ImmutableArray<string> Of(string directory, string layout) =>
    [
        .. Directory.EnumerateFiles(directory)
            .Where(path => Array.Exists(layout == LayoutNames.Gguf ? Terms : Names, name => Path.GetFileName(path).StartsWith(name, StringComparison.Ordinal)))
            .Order(StringComparer.Ordinal),
    ];
}
