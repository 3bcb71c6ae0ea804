using ActorLlama.Protocol;

namespace ActorLlama.Benchmarks.Fairness;

/// <summary>The time between two tokens of one session, as its client sees them come.</summary>
internal readonly record struct Gap(SessionId Session, TimeSpan Start, TimeSpan End)
{
    public double Millis => (End - Start).TotalMilliseconds;

    /// <summary>Any part of it lies in that time.</summary>
    public bool Meets(TimeSpan from, TimeSpan to) => End > from && Start < to;
}
