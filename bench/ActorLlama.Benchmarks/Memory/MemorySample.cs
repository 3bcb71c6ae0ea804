using ActorLlama.Protocol;

namespace ActorLlama.Benchmarks.Memory;

/// <summary>What all nodes together hold while no session is there.</summary>
internal sealed record MemorySample(int Steps, long Activations, long Payloads, long KvBytes, int Handles, long ManagedBytes, long PrivateBytes)
{
    public static MemorySample Of(int steps, ClusterProtocol.Status status) => new(
        steps,
        status.Nodes.Sum(n => n.Counters.LiveActivations),
        status.Nodes.Sum(n => n.Counters.LivePayloads),
        status.Nodes.Sum(n => n.Counters.KvBytes),
        status.Nodes.Sum(n => n.Counters.Handles),
        status.Nodes.Sum(n => n.Counters.ManagedBytes),
        status.Nodes.Sum(n => n.Counters.PrivateBytes));

    public override string ToString() =>
        $"{Steps,7} steps: {Activations} activations, {Payloads} payloads, KV {KvBytes >> 10} KiB, {Handles} handles, "
        + $"managed {ManagedBytes >> 20} MiB, private {PrivateBytes >> 20} MiB";
}
