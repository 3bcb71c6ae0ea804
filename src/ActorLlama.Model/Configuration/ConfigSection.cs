using System.Collections.Immutable;
using System.Globalization;
using System.Text.Json;

namespace ActorLlama.Model;

/// <summary>Typed access to one JSON object of a config file; every fault names the key, the value found and the rule.</summary>
internal sealed class ConfigSection(JsonElement json, string path, string file)
{
    public InvalidDataException Fault(string key, string rule) =>
        new($"Config: {Where(key)} {(Find(key) is { } value ? $"is {Show(value)}" : "is missing")}; {rule}");

    /// <summary>The value, or null when the key is absent or JSON null.</summary>
    public JsonElement? Find(string key) =>
        json.TryGetProperty(key, out var value) && value.ValueKind != JsonValueKind.Null ? value : null;

    public bool IsNull(string key) => json.TryGetProperty(key, out var value) && value.ValueKind == JsonValueKind.Null;

    public void RequireAll(params ReadOnlySpan<string> keys)
    {
        var missing = new List<string>();
        foreach (var key in keys)
            if (Find(key) is null) missing.Add($"\"{path}{key}\"");
        if (missing.Count > 0)
            throw new InvalidDataException(
                $"Config: \"{file}\" lacks {string.Join(", ", missing)}. Use the config.json that belongs to the checkpoint.");
    }

    public int Count(string key, int? fallback = null)
    {
        var value = Whole(key, fallback);
        return value >= 1 ? value : throw Fault(key, "it must be at least 1.");
    }

    public int Whole(string key, int? fallback = null)
    {
        if (Find(key) is not { } value)
            return fallback ?? throw Fault(key, "a whole number is needed.");
        return AsWhole(value) ?? throw Fault(key, "it must be a whole number below 2147483648.");
    }

    public double Positive(string key, double? fallback = null)
    {
        if (Find(key) is not { } value)
            return fallback ?? throw Fault(key, "a number above 0 is needed.");
        var number = value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out var d) ? d : double.NaN;
        return number > 0 && double.IsFinite(number) ? number : throw Fault(key, "it must be a finite number above 0.");
    }

    public double Number(string key, double fallback)
    {
        if (Find(key) is not { } value) return fallback;
        var number = value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out var d) ? d : double.NaN;
        return double.IsFinite(number) ? number : throw Fault(key, "it must be a finite number.");
    }

    /// <summary>true, false, or a number of which 0 means false (old files write the integer 4 for "on").</summary>
    public bool Flag(string key, bool fallback) => Find(key) switch
    {
        null => fallback,
        { ValueKind: JsonValueKind.True } => true,
        { ValueKind: JsonValueKind.False } => false,
        { ValueKind: JsonValueKind.Number } value when value.TryGetDouble(out var number) => number != 0,
        _ => throw Fault(key, "it must be true or false."),
    };

    public string? Text(string key) => Find(key) switch
    {
        null => null,
        { ValueKind: JsonValueKind.String } value => value.GetString(),
        _ => throw Fault(key, "it must be a text."),
    };

    /// <summary>A list of whole numbers; a single number counts as a list of one. Null when absent.</summary>
    public ImmutableArray<int>? WholeList(string key)
    {
        if (Find(key) is not { } value) return null;
        if (AsWhole(value) is { } single) return [single];
        if (value.ValueKind != JsonValueKind.Array) throw Fault(key, "it must be a list of whole numbers.");
        return [.. value.EnumerateArray().Select(item => AsWhole(item) ?? throw Fault(key, $"its entry {Show(item)} is not a whole number."))];
    }

    public ImmutableArray<string>? TextList(string key)
    {
        if (Find(key) is not { } value) return null;
        if (value.ValueKind != JsonValueKind.Array || value.EnumerateArray().Any(item => item.ValueKind != JsonValueKind.String))
            throw Fault(key, "it must be a list of texts.");
        return [.. value.EnumerateArray().Select(item => item.GetString()!)];
    }

    public ConfigSection? Section(string key) => Find(key) switch
    {
        null => null,
        { ValueKind: JsonValueKind.Object } value => new ConfigSection(value, $"{path}{key}.", file),
        _ => throw Fault(key, "it must be an object."),
    };

    private static int? AsWhole(JsonElement value)
    {
        if (value.ValueKind != JsonValueKind.Number) return null;
        if (value.TryGetInt32(out var whole)) return whole;
        return value.TryGetDouble(out var number) && double.IsInteger(number) && Math.Abs(number) < int.MaxValue ? (int)number : null;
    }

    private string Where(string key) => string.Create(CultureInfo.InvariantCulture, $"\"{path}{key}\" in \"{file}\"");

    private static string Show(JsonElement value)
    {
        var text = value.GetRawText().ReplaceLineEndings(" ");
        return text.Length <= 60 ? text : text[..57] + "...";
    }
}
