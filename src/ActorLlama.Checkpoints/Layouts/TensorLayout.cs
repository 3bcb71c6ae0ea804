using ActorLlama.Model;

namespace ActorLlama.Checkpoints;

/// <summary>The weight files of a checkpoint in one of the layouts, served as views by canonical name (spec 3.3). Owns the files.</summary>
internal abstract class TensorLayout : IDisposable
{
    /// <summary>One of <see cref="LayoutNames"/>.</summary>
    public abstract string Name { get; }

    /// <summary>All weight files.</summary>
    public abstract IEnumerable<MappedFile> Files { get; }

    /// <summary>Keys of all tensors as the files spell them, those that carry no weight left out.</summary>
    public abstract IReadOnlyCollection<string> Keys { get; }

    /// <summary>The key of a canonical tensor in this layout; of several that make it up, the first that is missing.</summary>
    public abstract string KeyOf(string canonicalName);

    /// <summary>The canonical tensor, or null when the files lack a part of it. Notes the keys it takes as <see cref="Used"/>.</summary>
    public abstract TensorView? Find(string canonicalName);

    /// <summary>Where a canonical tensor that was found lies in panels; null where it does not.</summary>
    public virtual PanelPlace? PanelsOf(string canonicalName) => null;

    /// <summary>The path of the file that holds a key.</summary>
    public abstract string PathOf(string key);

    /// <summary>True for keys of the vision tower and projector.</summary>
    public abstract bool IsVision(string key);

    /// <summary>Blocks of the vision tower.</summary>
    public abstract int VisionBlocks { get; }

    /// <summary>Keys that found tensors are made of.</summary>
    public HashSet<string> Used { get; } = new(StringComparer.Ordinal);

    /// <summary>Maps all files into memory, which touches no tensor.</summary>
    public void Map()
    {
        foreach (var file in Files) file.Map();
    }

    public abstract void Dispose();

    /// <summary>Our spelling of an element type of the safetensors format; null when weights are not of that type.</summary>
    protected static ElementType? TypeOf(string type) => type switch
    {
        SafetensorsType.BF16 => ElementType.BFloat16,
        SafetensorsType.F32 => ElementType.Float32,
        _ => null,
    };
}
