using ActorLlama.Protocol;

namespace ActorLlama.Planning.Sessions;

/// <summary>What a session is to do, in the order given.</summary>
public abstract record SessionEffect
{
    private SessionEffect() { }

    /// <summary>Send Submit, Renew or Withdraw to this scheduler.</summary>
    public sealed record ToScheduler(LaneTarget Scheduler, IClusterMessage Message) : SessionEffect;

    /// <summary>Send a <see cref="SessionProtocol"/> answer to whoever came with that key.</summary>
    public sealed record ToClient(string Client, IClusterMessage Message) : SessionEffect;

    /// <summary>The session is over and forgotten: stop its actor.</summary>
    public sealed record Stop : SessionEffect;
}
