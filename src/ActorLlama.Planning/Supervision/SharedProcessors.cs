using System.Collections.Immutable;
using System.Net;
using ActorLlama.Protocol;

namespace ActorLlama.Planning.Supervision;

/// <summary>
/// How many devices of a pipeline can compute at the same time. CPU devices whose threads are more than their machine has processors do what they do one after the other, whoever they
/// belong to: together they count as one.
/// </summary>
public static class SharedProcessors
{
    /// <summary>For each pipeline of the plan, its devices at once: at least 1.</summary>
    public static ImmutableArray<int> DevicesAtOnce(PlacementPlan plan, IReadOnlyCollection<NodeProtocol.Offer> offers) =>
        [.. plan.PipelineEpochs.Select((_, pipeline) => Math.Max(1, AtOnce([.. plan.DevicesOf(pipeline)], offers)))];

    private static int AtOnce(DeviceId[] devices, IReadOnlyCollection<NodeProtocol.Offer> offers)
    {
        var known = devices
            .Select(device => (Offer: offers.FirstOrDefault(o => o.Node == device.Node), device.Name))
            .Select(d => (d.Offer, Threads: d.Offer?.Devices.FirstOrDefault(o => o.Name == d.Name)?.Threads ?? 0))
            .ToArray();
        var onProcessors = known.Where(d => d is { Threads: > 0, Offer.Processors: > 0 }).GroupBy(d => MachineOf(d.Offer!)).ToArray();
        return known.Length - onProcessors.Sum(machine => machine.Sum(d => d.Threads) > machine.Max(d => d.Offer!.Processors) ? machine.Count() - 1 : 0);
    }

    /// <summary>Nodes with one address are on one machine, and so are those of all loopback addresses.</summary>
    private static string MachineOf(NodeProtocol.Offer offer) =>
        IPAddress.TryParse(offer.Lane.Host, out var address) && IPAddress.IsLoopback(address) ? "" : offer.Lane.Host;
}
