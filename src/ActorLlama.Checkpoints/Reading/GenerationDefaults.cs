using System.Text.Json;
using static ActorLlama.Checkpoints.Quoting;

namespace ActorLlama.Checkpoints;

/// <summary>Sampling settings that a checkpoint recommends (spec 1.6).</summary>
/// <param name="Temperature">At least 0; 0 is greedy.</param>
/// <param name="TopP">Above 0, at most 1; 1 is off.</param>
/// <param name="TopK">At least 0; 0 is off.</param>
public sealed record GenerationDefaults(double Temperature, double TopP, int TopK)
{
    /// <summary>Above 0; 1 is off.</summary>
    public double RepetitionPenalty { get; init; } = 1;

    private const string FileName = "generation_config.json";

    public static GenerationDefaults Greedy { get; } = new(0, 1, 0);

    /// <summary>From <c>generation_config.json</c>; greedy without the file or without <c>do_sample</c>; a repetition penalty holds for both.</summary>
    internal static GenerationDefaults Read(string directory)
    {
        var path = Path.Combine(directory, FileName);
        if (!File.Exists(path)) return Greedy;
        using var document = JsonFile.ReadObject(path);
        var root = document.RootElement;
        var samples = Find(root, "do_sample") switch
        {
            null or { ValueKind: JsonValueKind.False } => false,
            { ValueKind: JsonValueKind.True } => true,
            var other => throw Fault(path, "do_sample", other, "true or false"),
        };
        var defaults = samples
            ? new GenerationDefaults(
                Number(root, path, "temperature", 1, value => value >= 0, "a number from 0"),
                Number(root, path, "top_p", 1, value => value is > 0 and <= 1, "a number above 0 and at most 1"),
                (int)Number(root, path, "top_k", 0, value => value is >= 0 and <= int.MaxValue && double.IsInteger(value), "a whole number from 0"))
            : Greedy;
        return defaults with { RepetitionPenalty = Number(root, path, "repetition_penalty", 1, value => value > 0, "a number above 0") };
    }

    private static double Number(JsonElement root, string path, string name, double otherwise, Func<double, bool> isAllowed, string rule)
    {
        if (Find(root, name) is not { } found) return otherwise;
        return found.ValueKind == JsonValueKind.Number && found.TryGetDouble(out var value) && double.IsFinite(value) && isAllowed(value)
            ? value
            : throw Fault(path, name, found, rule);
    }

    private static JsonElement? Find(JsonElement root, string name) =>
        root.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null ? value : null;

    private static InvalidDataException Fault(string path, string name, JsonElement? found, string rule) =>
        new($"Checkpoint: {Quote(name)} in {Quote(path)} is {Quote(found?.GetRawText() ?? "")}; it is {rule}. Correct the file.");
}
