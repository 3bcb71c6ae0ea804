using ActorLlama.Runtime.Configuration;
using ActorLlama.TestKit;

namespace ActorLlama.Runtime.Tests.Nodes;

/// <summary>A node in this process, one of two, with the sample model.</summary>
internal static class SmallNode
{
    public static Task<ActorLlamaNode> StartAsync(string name, string[] seeds, params string[] settings) => ActorLlamaNode.StartAsync(NodeOptionsReader.Read(HoconFiles.Load(null,
    [
        $"actorllama.node.name={name}", "actorllama.cluster.port=0", $"actorllama.cluster.seeds=[{string.Join(", ", seeds.Select(s => $"\"{s}\""))}]", "actorllama.plan.nodes=2",
        $"actorllama.model.path=\"{Path.Combine(Shared.RepositoryRoot, "models", "bard")}\"", .. settings,
    ])));
}
