namespace ActorLlama.Checkpoints;

/// <summary>A weight file of a save, whole and on disk.</summary>
public sealed record SavedFile(string Name, long Bytes, string Sha256);
