using ActorLlama.Protocol;

namespace ActorLlama.Cli;

/// <summary>What a device or node holds, in words.</summary>
internal static class PlacementText
{
    /// <summary>"layers 0-23", "layers 0-23 of pipeline 1", "experts 4-7", "experts 4-7 replica 1".</summary>
    public static IEnumerable<string> Of(IEnumerable<StagePlacement> stages, IEnumerable<ShardPlacement> shards) => stages
        .OrderBy(s => (s.Pipeline, s.Index))
        .Select(s => $"layers {Range(s.FirstLayer, s.Layers)}{(s.Pipeline > 0 ? $" of pipeline {s.Pipeline}" : "")}")
        .Concat(shards
            .OrderBy(s => (s.FirstExpert, s.Replica))
            .Select(s => $"experts {Range(s.FirstExpert, s.Experts)}{(s.Replica > 0 ? $" replica {s.Replica}" : "")}"));

    private static string Range(int first, int count) => count == 1 ? $"{first}" : $"{first}-{first + count - 1}";
}
