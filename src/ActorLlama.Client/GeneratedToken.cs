namespace ActorLlama.Client;

/// <summary>The generated id at <paramref name="Index"/> (from 0), and the text it completes ("" inside a character or held back).</summary>
public readonly record struct GeneratedToken(int Index, int Id, string Text);
