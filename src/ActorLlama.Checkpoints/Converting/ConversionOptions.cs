using ActorLlama.Model;

namespace ActorLlama.Checkpoints;

/// <summary>What a conversion makes of a checkpoint.</summary>
public sealed record ConversionOptions
{
    public const long DefaultShardBytes = 5L << 30;

    /// <summary>One of <see cref="LayoutNames.Written"/>.</summary>
    public required string Layout { get; init; }

    /// <summary>Element type to write; null keeps each tensor's own. Widening is exact, narrowing rounds to nearest, ties to even.</summary>
    public ElementType? Type { get; init; }

    /// <summary>True: matrices in the panels that the CPU kernels of this program read, so that they stay mapped. Layout unscanned only.</summary>
    public bool Panels { get; init; }

    /// <summary>Largest safetensors file; a single tensor may exceed it.</summary>
    public long ShardBytes { get; init; } = DefaultShardBytes;

    /// <summary>Number of Meta's shards.</summary>
    public int MetaParts { get; init; } = 1;

    /// <summary>Name and <c>config.json</c> text of the shape that the source is asserted to have; null asserts nothing.</summary>
    public (string Name, string ConfigJson)? Shape { get; init; }

    /// <summary>True: go on with what a conversion that was cut off left. False: begin anew.</summary>
    public bool Resume { get; init; }

    /// <summary>Files to put beside the weights that the source lacks, by name: each writes itself to the path it is given.</summary>
    public IReadOnlyDictionary<string, Action<string>> Extras { get; init; } = new Dictionary<string, Action<string>>();

    /// <summary>The tokenizer as layout gguf has it inside; null when the source has none.</summary>
    public GgufVocabulary? Vocabulary { get; init; }

    /// <summary>Threads that read and write; null for one per processor.</summary>
    public int? Threads { get; init; }

    /// <summary>Called as tensors are written, by one thread at a time.</summary>
    public Action<WriteProgress>? Progress { get; init; }

    /// <summary>Called afterwards as files that were there already are hashed, by one thread at a time.</summary>
    public Action<WriteProgress>? Hashing { get; init; }
}
