namespace ActorLlama.Benchmarks.Micro.Lanes;

public enum EchoKind
{
    /// <summary>Bare asynchronous sockets.</summary>
    Raw,

    /// <summary>The lane, its ends called by the thread that reads.</summary>
    Lane,

    /// <summary>The lane between actors on devices' threads.</summary>
    Actors,
}
