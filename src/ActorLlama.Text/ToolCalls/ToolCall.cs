namespace ActorLlama.Text;

/// <summary>A call that the assistant makes.</summary>
/// <param name="Name">Name of the tool.</param>
/// <param name="ArgumentsJson">The arguments: a JSON object, its keys in the order given.</param>
public sealed record ToolCall(string Name, string ArgumentsJson);
