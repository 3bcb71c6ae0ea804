using System.Collections.Concurrent;
using ActorLlama.Protocol;

namespace ActorLlama.Runtime.Nodes;

/// <summary>
/// How many sequences each pipeline has: what its scheduler reported last, and what this node's sessions have submitted since, so that many
/// who come at once do not all go the same way. Any thread.
/// </summary>
internal sealed class PipelineLoads
{
    private volatile ConcurrentDictionary<int, int> _sequences = [];

    public int Of(int pipeline) => _sequences.GetValueOrDefault(pipeline);

    public void Submitted(int pipeline) => _sequences.AddOrUpdate(pipeline, 1, (_, n) => n + 1);

    public void Report(IEnumerable<NodeProtocol.PipelineLoad> loads) =>
        _sequences = new(loads.Select(l => KeyValuePair.Create(l.Pipeline, l.Running + l.Waiting)));
}
