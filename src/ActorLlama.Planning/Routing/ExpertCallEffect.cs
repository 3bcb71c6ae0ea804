using System.Collections.Immutable;
using ActorLlama.Protocol;

namespace ActorLlama.Planning.Routing;

/// <summary>What a router is to do for one layer of one batch, in the order given.</summary>
public abstract record ExpertCallEffect
{
    private ExpertCallEffect() { }

    /// <summary>Send the group's rows there. The rows must be kept until the layer is complete: they may be sent again.</summary>
    public sealed record Send(CallId Call, Route Route, ShardGroup Group) : ExpertCallEffect
    {
        public ExpertProtocol.Run ToMessage() => new(Call, Route.Epoch, Group.Experts);
    }

    /// <summary>Row i of the answer's payload is row Rows[i] of the layer.</summary>
    public sealed record Place(ImmutableArray<int> Rows) : ExpertCallEffect;

    /// <summary>All rows are placed.</summary>
    public sealed record Complete : ExpertCallEffect;

    /// <summary>The layer cannot be completed: tell the scheduler that the batch is lost.</summary>
    public sealed record Fail(RefusalReason Reason, string Message) : ExpertCallEffect;

    /// <summary>
    /// This target did not do its work: mark it in the route table (<see cref="RouteTable.Fail"/>), which the sends beside this effect have
    /// allowed for already.
    /// </summary>
    public sealed record MarkFailed(LaneTarget Target) : ExpertCallEffect;

    /// <summary>Ask the device of a call whether it is at work; its answer goes to <see cref="ExpertCallState.AtWork"/>.</summary>
    public sealed record Ask(LaneTarget Device) : ExpertCallEffect;

    /// <summary>The layer waits for devices that are at work: its batch is not lost.</summary>
    public sealed record Alive : ExpertCallEffect;

    /// <summary>The message is of no use here: dispose of its payload.</summary>
    public sealed record Ignore : ExpertCallEffect;
}
