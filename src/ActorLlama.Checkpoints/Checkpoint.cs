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
    private readonly TensorLayout _layout;
    private readonly FrozenDictionary<string, ServedTensor> _tensors;
    private volatile bool _isDisposed;

    internal Checkpoint(string path, TensorLayout layout, ImmutableArray<BoundTensor> tensors)
    {
        Path = path;
        _layout = layout;
        Tensors = tensors;
        _tensors = tensors.ToFrozenDictionary(tensor => tensor.Name, tensor => new ServedTensor(tensor), StringComparer.Ordinal);
    }

    /// <summary>All tensors in forward order, those of the vision tower last.</summary>
    internal ImmutableArray<BoundTensor> Tensors { get; }

    /// <summary>The layout it is in, one of <see cref="LayoutNames"/>.</summary>
    public string Layout => _layout.Name;

    /// <summary>True when it stores matrices in the panels of the CPU kernels, which then read them where they lie.</summary>
    public bool HasPanels => Tensors.Any(tensor => tensor.Panels is not null);

    /// <summary>True when it carries a vision tower, served under the canonical names <c>vision.…</c> (spec 3.3).</summary>
    public bool HasVision => Tensors.Any(tensor => tensor.Name.StartsWith(VisionTable.Prefix, StringComparison.Ordinal));

    /// <summary>Text of its <c>config.json</c>, or of the one that its <c>params.json</c> amounts to.</summary>
    public required string ConfigJson { get; init; }

    /// <summary>Paths of its weight files.</summary>
    public IEnumerable<string> WeightFiles => _layout.Files.Select(file => file.Path);

    /// <summary>The folder, as it was given.</summary>
    public string Path { get; }

    public required LlamaConfig Config { get; init; }

    /// <summary>Identity, 64 hexadecimal digits: equal on nodes that hold the same config and weights.</summary>
    public required string Digest { get; init; }

    /// <summary>Sampling settings that the checkpoint recommends; greedy when it recommends none.</summary>
    public required GenerationDefaults GenerationDefaults { get; init; }

    /// <summary>True when it carries a chat template, so that a console chats rather than completes.</summary>
    public required bool IsInstruct { get; init; }

    /// <summary>Path of its <c>tokenizer.model</c> or, without one, its <c>tokenizer.json</c>; null when it has neither.</summary>
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
        foreach (var tensor in _tensors.Values) tensor.Dispose();
        _layout.Dispose();
    }
}
