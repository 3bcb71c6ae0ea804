using ActorLlama.Protocol;

namespace ActorLlama.Planning.Supervision;

/// <summary>Which node is meant by a name, or by a HOST:PORT.</summary>
internal static class NodeNames
{
    /// <summary>The node, or why it is not clear.</summary>
    public static (NodeProtocol.Offer? Node, string Fault) Find(SupervisorState state, string name) =>
        state.Nodes.Where(o => o.IsCalled(name)).ToArray() is var named && named.Length == 1
            ? (named[0], "")
            : (null, $"{(named.Length == 0 ? "no node" : "more than one node")} is \"{name}\". "
                + $"The cluster has {string.Join(", ", state.Nodes.Select(o => $"{o.Name} ({o.Node.HostAndPort})"))}.");
}
