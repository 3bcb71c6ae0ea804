using ActorLlama.Protocol;

namespace ActorLlama.Planning.Supervision;

/// <summary>What a rolling restart does next.</summary>
public abstract record RollStep
{
    private RollStep()
    {
    }

    /// <summary>Nothing, until the cluster has gone on. <paramref name="Why"/>: what is waited for.</summary>
    public sealed record Wait(string Why) : RollStep;

    public sealed record Drain(NodeProtocol.Offer Node) : RollStep;

    public sealed record Restart(NodeProtocol.Offer Node) : RollStep;

    /// <summary>All nodes are other ones than at the beginning.</summary>
    public sealed record Done : RollStep;
}
