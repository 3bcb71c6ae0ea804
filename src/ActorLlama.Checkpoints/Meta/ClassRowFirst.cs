using System.Text.Json;
using static ActorLlama.Checkpoints.Quoting;

namespace ActorLlama.Checkpoints;

/// <summary>
/// The older form of the vision tower's positions, whose first row belongs to the class token; everywhere else it is the last (spec 3.2). Meta's loader also
/// resamples it to another number of patches: that is not done here.
/// </summary>
internal static class ClassRowFirst
{
    public const string Key = "vision_embeddings.vision_encoder.positional_embedding";

    /// <summary>The tensor with its class row last. Throws <see cref="InvalidDataException"/> when its rows are not those of the config's patches.</summary>
    public static TensorView Turned(TensorView view, string file, string configJson)
    {
        var wanted = RowsOf(configJson);
        if (view.Shape is not [var rows, _] || rows != wanted)
            throw new InvalidDataException(
                $"Checkpoint: tensor {Quote(view.Name)} in {Quote(file)} has shape {Quote(view.Shape)}; by the config's vision sizes it has {(wanted is null ? "unknown" : wanted)} rows, "
                + "and it is not resampled. Use a release that has \"positional_embedding_vlm\".");
        return TensorView.Join(0, [view.Slice(0, 1, rows - 1), view.Slice(0, 0, 1)]);
    }

    /// <summary>Patches of a tile and one class token; null when the config does not tell.</summary>
    private static long? RowsOf(string configJson)
    {
        using var config = JsonDocument.Parse(configJson);
        return config.RootElement.TryGetProperty("vision_config", out var vision) && vision.ValueKind == JsonValueKind.Object
            && Whole(vision, "image_size") is { } image && Whole(vision, "patch_size") is { } patch and > 0
            ? image / patch * (image / patch) + 1
            : null;
    }

    private static long? Whole(JsonElement section, string key) =>
        section.TryGetProperty(key, out var value) && value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var number) ? number : null;
}
