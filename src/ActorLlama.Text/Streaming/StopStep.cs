namespace ActorLlama.Text;

/// <summary>What came of adding text to a stream.</summary>
/// <param name="Emit">Text to show now.</param>
/// <param name="Held">Text to pass to the next step, or to show when the stream ends: it may be the beginning of a stop string.</param>
/// <param name="Stop">The stop string that ended the stream; null while it goes on.</param>
public sealed record StopStep(string Emit, string Held, string? Stop);
