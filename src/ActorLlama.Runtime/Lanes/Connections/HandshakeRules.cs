using ActorLlama.Protocol;

namespace ActorLlama.Runtime.Lanes;

/// <summary>Whom a node accepts on its lane. A peer with a newer plan is accepted: this node will have that plan soon.</summary>
internal static class HandshakeRules
{
    /// <summary>Null: accepted.</summary>
    public static LaneProtocol.Refused? Check(LaneProtocol.Hello hello, LaneIdentity self, LanePlan plan)
    {
        var (theirs, ours) = (hello.Model, self.Model);
        if (hello.To != self.Self)
            return No(LaneRefusal.WrongNode, $"Lane: \"{hello.From}\" asked for node \"{hello.To}\", but this is \"{self.Self}\". It needs the current plan.");
        if (theirs.ProtocolVersion != ours.ProtocolVersion)
            return No(LaneRefusal.Version, VersionText($"\"{hello.From}\"", theirs.ProtocolVersion, $"\"{self.Self}\"", ours.ProtocolVersion));
        if (theirs.CheckpointDigest != ours.CheckpointDigest)
            return No(LaneRefusal.Checkpoint,
                $"Lane: \"{hello.From}\" serves checkpoint \"{theirs.CheckpointDigest}\", \"{self.Self}\" serves \"{ours.CheckpointDigest}\". Give all nodes the same checkpoint.");
        if (theirs.NumericFingerprint != ours.NumericFingerprint)
            return No(LaneRefusal.Fingerprint,
                $"Lane: \"{hello.From}\" has the numeric fingerprint \"{theirs.NumericFingerprint}\", \"{self.Self}\" has \"{ours.NumericFingerprint}\". Use the same build and data types on all nodes.");
        if (hello.PlanEpoch < plan.Epoch)
            return No(LaneRefusal.StaleEpoch,
                $"Lane: \"{hello.From}\" has the plan of epoch {hello.PlanEpoch}, \"{self.Self}\" that of epoch {plan.Epoch}. It needs the current plan.");
        if (hello.PlanEpoch == plan.Epoch && !plan.Peers.ContainsKey(hello.From))
            return No(LaneRefusal.UnknownPeer,
                $"Lane: \"{hello.From}\" is not in the plan of epoch {plan.Epoch} that \"{self.Self}\" has{OtherIncarnation(hello.From, plan)}.");
        return null;
    }

    public static string VersionText(string them, int theirs, string us, int ours) =>
        $"Lane: {them} speaks protocol version {theirs}, {us} speaks {ours}. Run the same version on all nodes.";

    private static string OtherIncarnation(NodeId from, LanePlan plan)
    {
        foreach (var node in plan.Peers.Keys)
            if (node.Address == from.Address) return $", which names \"{node}\" at that address";
        return "";
    }

    private static LaneProtocol.Refused No(LaneRefusal reason, string message) => new(reason, message);
}
