namespace ActorLlama.Checkpoints;

/// <summary>How layouts are spelled on the command line and in <c>checkpoint.json</c>.</summary>
public static class LayoutNames
{
    /// <summary>Hugging Face's safetensors (spec 3.1).</summary>
    public const string HuggingFace = "hf";

    /// <summary>Meta's <c>consolidated.NN.pth</c> (spec 3.2).</summary>
    public const string Meta = "meta";

    /// <summary>Canonical names, a tensor per layer: preferred for decoding.</summary>
    public const string Unscanned = "unscanned";

    /// <summary>Canonical names, layers of equal place in a block stacked: preferred for training (spec 3.4).</summary>
    public const string Scanned = "scanned";

    /// <summary>One file for llama.cpp. It is written only: it leaves out what that program does not know.</summary>
    public const string Gguf = "gguf";

    /// <summary>Those that are read and written.</summary>
    public static IReadOnlyList<string> All { get; } = [Unscanned, Scanned, HuggingFace, Meta];

    /// <summary>Those that are written.</summary>
    public static IReadOnlyList<string> Written { get; } = [.. All, Gguf];
}
