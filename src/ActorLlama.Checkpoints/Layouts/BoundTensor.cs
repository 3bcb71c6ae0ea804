namespace ActorLlama.Checkpoints;

/// <summary>A parameter of the model and where it lies.</summary>
/// <param name="Name">Canonical name (spec 3.3).</param>
/// <param name="View">Its elements in canonical shape.</param>
/// <param name="IsExperts">True for routed experts, whose first axis counts them.</param>
/// <param name="Panels">Where the file has it in panels of the CPU kernels; null where it lies otherwise.</param>
internal sealed record BoundTensor(string Name, TensorView View, bool IsExperts, PanelPlace? Panels = null)
{
    /// <summary>Experts, or 1 where the tensor is not divided.</summary>
    public long Slices => IsExperts ? View.Shape[0] : 1;

    public long SliceBytes => View.Bytes / Math.Max(1, Slices);
}
