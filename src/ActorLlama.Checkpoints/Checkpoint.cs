using System.Collections.Frozen;
using System.Collections.Immutable;
using ActorLlama.Model;

namespace ActorLlama.Checkpoints;

/// <summary>
/// An opened checkpoint: what its files say and its weights where they lie, memory-mapped. Reading is safe from any thread until
/// <see cref="Dispose"/>, which unmaps; whoever still uses a <see cref="StoredTensor"/> of it then touches memory that is gone.
/// Made by <see cref="CheckpointDirectory.Open"/>.
/// </summary>
public sealed class Checkpoint : ITensorSource
{
    private readonly ShardSet _shards;
    private readonly FrozenDictionary<string, StoredTensor> _tensors;
    private volatile bool _isDisposed;

    internal Checkpoint(string path, ShardSet shards, ImmutableArray<BoundTensor> tensors)
    {
        Path = path;
        _shards = shards;
        _tensors = tensors.ToFrozenDictionary(tensor => tensor.Parameter.Name, tensor => tensor.Stored(), StringComparer.Ordinal);
    }

    /// <summary>The folder, as it was given.</summary>
    public string Path { get; }

    public required LlamaConfig Config { get; init; }

    /// <summary>Identity, 64 hexadecimal digits: equal on nodes that hold the same config and weights.</summary>
    public required string Digest { get; init; }

    /// <summary>Sampling settings that the checkpoint recommends; greedy when it recommends none.</summary>
    public required GenerationDefaults GenerationDefaults { get; init; }

    /// <summary>True when it carries a chat template, so that a console chats rather than completes.</summary>
    public required bool IsInstruct { get; init; }

    /// <summary>Path of its <c>tokenizer.model</c>; null when it has none.</summary>
    public required string? TokenizerPath { get; init; }

    public bool HasTokenizer => TokenizerPath is not null;

    /// <summary>Values that are honoured but look wrong, one sentence each.</summary>
    public required ImmutableArray<string> Warnings { get; init; }

    /// <inheritdoc/>
    /// <exception cref="ObjectDisposedException">The checkpoint was disposed.</exception>
    public StoredTensor Get(string canonicalName)
    {
        if (_isDisposed)
            throw new ObjectDisposedException(
                nameof(Checkpoint), $"Checkpoint: \"{Path}\" was closed; \"{canonicalName}\" can no longer be read.");
        return _tensors.TryGetValue(canonicalName, out var tensor)
            ? tensor
            : throw new KeyNotFoundException($"Checkpoint: \"{Path}\" has no parameter \"{canonicalName}\".");
    }

    public void Dispose()
    {
        _isDisposed = true;
        _shards.Dispose();
    }
}
