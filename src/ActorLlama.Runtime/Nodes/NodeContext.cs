using ActorLlama.Protocol;
using ActorLlama.Runtime.Configuration;
using ActorLlama.Runtime.Lanes;

namespace ActorLlama.Runtime.Nodes;

/// <summary>What the actors of one node share: nothing here is changed by them but the board, by its one writer.</summary>
internal sealed record NodeContext(
    NodeOptions Options, NodeId Self, NodeModel Model, Lane Lane, LaneEndpoint LaneEndpoint, RouteBoard Board, NodeGauges Gauges, TimeProvider Time)
{
    /// <summary>What training adds; null on a node that does not train.</summary>
    public NodeTraining? Training { get; init; }

    /// <summary>Milliseconds on a clock that only goes forward.</summary>
    public long NowMs => (long)Time.GetElapsedTime(0).TotalMilliseconds;

    public override string ToString() => Self.ToString();
}
