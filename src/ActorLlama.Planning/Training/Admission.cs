using ActorLlama.Protocol;

namespace ActorLlama.Planning.Training;

/// <summary>Whether a call of an attempt is served.</summary>
public abstract record Admission
{
    private Admission()
    {
    }

    public sealed record Accept : Admission;

    /// <summary>The attempt is one that the coordinator has begun, which was heard of first through this call: tell the rules <see cref="OwnerEvent.Called"/>, then serve it.</summary>
    public sealed record Adopt : Admission;

    public sealed record Refused(ExchangeRefusal Reason, string Message) : Admission;
}
