using System.Collections.Immutable;
using System.Text.Json;
using System.Text.Json.Nodes;
using ActorLlama.Model;

namespace ActorLlama.Checkpoints;

/// <summary>What a <c>params.json</c> cannot say of a config, found by reading it back: without the <c>config.json</c> beside it, such a checkpoint is refused.</summary>
internal static class MetaGaps
{
    /// <summary>In a <c>params.json</c> of ours: what only <c>config.json</c> tells.</summary>
    public const string Key = "only_in_config_json";

    private static readonly JsonSerializerOptions Names = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    /// <summary>Names of settings that would be lost or changed.</summary>
    public static ImmutableArray<string> Of(JsonObject parameters, LlamaConfig config, string configJson)
    {
        JsonObject read;
        LlamaConfig lost;
        try
        {
            read = JsonNode.Parse(MetaParams.ToConfigJson(MetaShards.ParamsFile, parameters.ToJsonString()))!.AsObject();
            lost = LlamaConfigReader.Read(read.ToJsonString(), MetaShards.ParamsFile).Config;
        }
        catch (InvalidDataException)
        {
            return ["config"];
        }
        return [.. Differences("", Node(config), Node(lost)), .. Differences("vision_config.", JsonNode.Parse(configJson)!["vision_config"], read["vision_config"])];

        static JsonNode Node(LlamaConfig config) => JsonSerializer.SerializeToNode(config, Names)!;
    }

    /// <summary>Settings that both have and that differ.</summary>
    private static IEnumerable<string> Differences(string prefix, JsonNode? source, JsonNode? read) => source is JsonObject all && read is JsonObject others
        ? all.Where(setting => others.TryGetPropertyValue(setting.Key, out var other) && !JsonNode.DeepEquals(setting.Value, other)).Select(setting => prefix + setting.Key)
        : [];
}
