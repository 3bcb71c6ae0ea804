namespace ActorLlama.Checkpoints;

/// <summary>Where a file holds a matrix in panels of the CPU kernels.</summary>
/// <param name="File">The file, which is mapped before the panels are read.</param>
/// <param name="Offset">The first panel's first byte.</param>
internal sealed record PanelPlace(MappedFile File, long Offset);
