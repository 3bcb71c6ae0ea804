namespace ActorLlama.Text;

/// <summary>A tool that the assistant may call.</summary>
/// <param name="Name">Name to call it by.</param>
/// <param name="Description">What it does, for the model; may be empty.</param>
/// <param name="ParametersJson">JSON schema of its arguments: a JSON object.</param>
public sealed record ToolDefinition(string Name, string Description, string ParametersJson);
