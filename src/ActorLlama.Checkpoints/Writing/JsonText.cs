using System.Text.Json;

namespace ActorLlama.Checkpoints;

/// <summary>How this project writes JSON.</summary>
internal static class JsonText
{
    public static JsonSerializerOptions Indented { get; } = new() { WriteIndented = true };
}
