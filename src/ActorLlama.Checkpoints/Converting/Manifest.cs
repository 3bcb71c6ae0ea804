using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using ActorLlama.Kernels;
using static ActorLlama.Checkpoints.Quoting;

namespace ActorLlama.Checkpoints;

/// <summary>
/// <c>checkpoint.json</c>: layout, step, source, format version, and size and SHA-256 of every other file of the folder. Written last, so a
/// checkpoint of ours that has one is whole.
/// </summary>
/// <param name="Layout">One of <see cref="LayoutNames"/>.</param>
/// <param name="Step">Training step; 0 for converted weights.</param>
/// <param name="Source">Digest of the checkpoint that it was made from; empty when made from none.</param>
/// <param name="Files">Every other file by name.</param>
internal sealed record Manifest(string Layout, long Step, string Source, IReadOnlyDictionary<string, Manifest.FileState> Files)
{
    public const string FileName = "checkpoint.json";

    /// <summary>Raised when a reader of the version before could not read what is written: 2 has panels.</summary>
    public const int FormatVersion = 2;

    /// <summary>How <see cref="Panels"/> names those that this program writes and reads.</summary>
    public static string OwnPanels { get; } = string.Create(CultureInfo.InvariantCulture, $"cpu {WeightPanels.FormatVersion}");

    /// <summary>Kernels and version of the panels that matrices lie in; null when none does.</summary>
    public string? Panels { get; init; }

    public string ToJson()
    {
        var json = new JsonObject { ["format_version"] = Panels is null ? 1 : FormatVersion, ["layout"] = Layout };
        if (Panels is not null) json["panels"] = Panels;
        json["step"] = Step;
        json["source"] = Source;
        json["files"] = new JsonObject(Files.OrderBy(file => file.Key, StringComparer.Ordinal).Select(file => KeyValuePair.Create(
            file.Key, (JsonNode?)new JsonObject { ["bytes"] = file.Value.Bytes, ["sha256"] = file.Value.Sha256 })));
        return json.ToJsonString(JsonText.Indented);
    }

    /// <summary>The layout that a folder's manifest records; null without manifest or when it records none that this version knows.</summary>
    public static string? LayoutOf(string directory) => TextOf(directory, "layout") is { } layout && LayoutNames.All.Contains(layout) ? layout : null;

    /// <summary>The panels that a folder's manifest records; null without manifest or when it records none.</summary>
    public static string? PanelsOf(string directory) => TextOf(directory, "panels");

    /// <summary>Reads a folder's manifest; null when there is none or it lists no files.</summary>
    public static Manifest? Read(string directory)
    {
        var path = Path.Combine(directory, FileName);
        if (!File.Exists(path)) return null;
        using var document = JsonFile.ReadObject(path);
        var root = document.RootElement;
        RequireVersion(root, path);
        if (!root.TryGetProperty("files", out var listed)) return null;
        if (listed.ValueKind != JsonValueKind.Object) throw Fault(path, "files", "an object");
        var files = new Dictionary<string, FileState>(StringComparer.Ordinal);
        foreach (var file in listed.EnumerateObject())
        {
            if (file.Name.Length == 0 || file.Name is "." or ".." || file.Name.AsSpan().IndexOfAny('/', '\\', '\0') >= 0)
                throw new InvalidDataException($"Checkpoint: {Quote(path)} lists {Quote(file.Name)}, which is no plain file name. Write the checkpoint again.");
            files[file.Name] = file.Value.ValueKind == JsonValueKind.Object
                && file.Value.TryGetProperty("bytes", out var bytes) && bytes.TryGetInt64(out var size)
                && file.Value.TryGetProperty("sha256", out var hash) && hash.ValueKind == JsonValueKind.String
                ? new FileState(size, hash.GetString()!)
                : throw Fault(path, file.Name, "an object of \"bytes\" and \"sha256\"");
        }
        return new Manifest(Text(root, "layout"), root.TryGetProperty("step", out var step) && step.TryGetInt64(out var value) ? value : 0, Text(root, "source"), files);
    }

    private static string? TextOf(string directory, string key)
    {
        var path = Path.Combine(directory, FileName);
        if (!File.Exists(path)) return null;
        using var document = JsonFile.ReadObject(path);
        RequireVersion(document.RootElement, path);
        return document.RootElement.TryGetProperty(key, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
    }

    private static string Text(JsonElement root, string key) =>
        root.TryGetProperty(key, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString()! : "";

    private static void RequireVersion(JsonElement root, string path)
    {
        if (root.TryGetProperty("format_version", out var version)
            && !(version.ValueKind == JsonValueKind.Number && version.TryGetInt32(out var number) && number is >= 1 and <= FormatVersion))
            throw new InvalidDataException(
                $"Checkpoint: {Quote(path)} has format version {Quote(version.GetRawText())}; this program reads up to {FormatVersion}. Use a newer program.");
    }

    private static InvalidDataException Fault(string path, string key, string rule) =>
        new($"Checkpoint: {Quote(key)} in {Quote(path)} is not {rule}. Write the checkpoint again.");

    /// <summary>Size and hash of a file.</summary>
    internal sealed record FileState(long Bytes, string Sha256);
}
