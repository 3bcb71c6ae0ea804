using ActorLlama.Protocol;

namespace ActorLlama.Planning.Supervision;

/// <summary>Whether a node can serve in this cluster: what must be equal on all nodes.</summary>
internal static class ModelAgreement
{
    /// <summary>Why the offer cannot be planned with, naming both values; null when it can.</summary>
    public static string? Disagreement(NodeProtocol.Offer? agreed, NodeProtocol.Offer offer)
    {
        if (offer.Devices.GroupBy(d => d.Name).FirstOrDefault(g => g.Count() > 1) is { } twice)
            return $"Cluster: node \"{offer.Name}\" offers device \"{twice.Key}\" {twice.Count()} times; a device may be named once. Change its devices.";
        if (offer.Model.ProtocolVersion != ProtocolVersion.Current)
            return Differs(offer, "protocol version", offer.Model.ProtocolVersion, ProtocolVersion.Current, "Run the same release on all nodes.");
        if (agreed is null) return null;
        if (offer.Model.CheckpointDigest != agreed.Model.CheckpointDigest)
            return Differs(offer, "checkpoint digest", offer.Model.CheckpointDigest, agreed.Model.CheckpointDigest, "Give all nodes the same checkpoint.");
        if (offer.Model.NumericFingerprint != agreed.Model.NumericFingerprint)
        {
            return Differs(
                offer, "numeric fingerprint", offer.Model.NumericFingerprint, agreed.Model.NumericFingerprint,
                "Run the same release with the same dtype on all nodes.");
        }

        return ShapeDifference(agreed.Shape, offer.Shape) is var (field, ours, theirs)
            ? Differs(offer, $"model shape, {field},", theirs, ours, "Give all nodes the same checkpoint and dtype.")
            : null;
    }

    private static string Differs(NodeProtocol.Offer offer, string what, object theirs, object ours, string change) =>
        $"Cluster: node \"{offer.Name}\" has {what} \"{theirs}\", the cluster has \"{ours}\"; they must be equal. {change}";

    /// <summary>Not the name: that is the folder's, and each node has its own.</summary>
    private static (string Field, object Ours, object Theirs)? ShapeDifference(ModelShape ours, ModelShape theirs)
    {
        (string, object, object)[] fields =
        [
            ("hidden size", ours.HiddenSize, theirs.HiddenSize),
            ("vocabulary", ours.VocabSize, theirs.VocabSize),
            ("positions", ours.MaxPositions, theirs.MaxPositions),
            ("experts", ours.Experts, theirs.Experts),
            ("experts per token", ours.ExpertsPerToken, theirs.ExpertsPerToken),
            ("embedding bytes", ours.EmbedBytes, theirs.EmbedBytes),
            ("head bytes", ours.HeadBytes, theirs.HeadBytes),
            ("expert bytes", ours.ExpertBytes, theirs.ExpertBytes),
            ("activation bytes", ours.ActivationBytes, theirs.ActivationBytes),
            ("layers", ours.Layers.Length, theirs.Layers.Length),
            .. ours.Layers.Zip(theirs.Layers).Select((pair, i) => ($"layer {i}", (object)pair.First, (object)pair.Second)),
        ];
        var different = fields.FirstOrDefault(f => !f.Item2.Equals(f.Item3));
        return different.Item1 is null ? null : different;
    }
}
