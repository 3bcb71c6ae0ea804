using ActorLlama.Planning.Placement;
using ActorLlama.Protocol;

namespace ActorLlama.Planning.Supervision;

/// <summary>A node's offer as devices to plan with.</summary>
internal static class OfferedDevices
{
    private const string Trunk = "trunk";
    private const string Experts = "experts";
    private const string Control = "control";

    /// <summary>Roles say what may live on the node; one that names none of ours may hold anything.</summary>
    public static IEnumerable<PlannedDevice> Of(NodeProtocol.Offer offer)
    {
        var any = !offer.Roles.Any(r => r is Trunk or Experts or Control);
        var trunk = any || offer.Roles.Contains(Trunk);
        var experts = any || offer.Roles.Contains(Experts);
        return offer.Devices.Select(d => new PlannedDevice(
            new DeviceId(offer.Node, d.Name), offer.Name, offer.Lane.Host,
            offer.IsLeaving ? 0 : d.MemoryBytes, trunk && !offer.IsLeaving, experts && !offer.IsLeaving, offer.IsLeaving));
    }
}
