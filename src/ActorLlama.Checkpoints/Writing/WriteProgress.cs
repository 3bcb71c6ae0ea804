namespace ActorLlama.Checkpoints;

/// <summary>How far a write is.</summary>
/// <param name="WrittenBytes">Bytes of tensors written.</param>
/// <param name="TotalBytes">Bytes of all tensors.</param>
public readonly record struct WriteProgress(long WrittenBytes, long TotalBytes);
