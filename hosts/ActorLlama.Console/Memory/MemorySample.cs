using ActorLlama.Protocol;

namespace ActorLlama.Cli;

/// <summary>What nodes together hold while no session is there. <paramref name="At"/>: decode steps or seconds since the beginning.</summary>
internal sealed record MemorySample(int At, long Activations, long Payloads, long KvBytes, long Waiting, int Handles, long ManagedBytes, long PrivateBytes)
{
    public static MemorySample Of(int at, IReadOnlyCollection<NodeProtocol.Offer> nodes) => new(
        at,
        nodes.Sum(n => n.Counters.LiveActivations),
        nodes.Sum(n => n.Counters.LivePayloads),
        nodes.Sum(n => n.Counters.KvBytes),
        nodes.Sum(n => n.Pipelines.Sum(p => p.Running + p.Waiting + p.BatchesInFlight)),
        nodes.Sum(n => n.Counters.Handles),
        nodes.Sum(n => n.Counters.ManagedBytes),
        nodes.Sum(n => n.Counters.PrivateBytes));

    public override string ToString() =>
        $"{Activations} activations, {Payloads} payloads, KV {KvBytes >> 10} KiB, {Waiting} waiting, {Handles} handles, managed {ManagedBytes >> 20} MiB, private {PrivateBytes >> 20} MiB";
}
