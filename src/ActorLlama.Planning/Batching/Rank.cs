using ActorLlama.Protocol;

namespace ActorLlama.Planning.Batching;

/// <summary>
/// Whose turn is first: by the time of arrival, moved by the priority; then by the order of arrival. It never changes while a session waits
/// or runs, so a later one can come before it only for as long as the priorities differ in time, and nobody waits for ever.
/// </summary>
internal readonly record struct Rank(long TimeMs, long Arrival) : IComparable<Rank>
{
    /// <param name="arrivedMs">When the session came.</param>
    /// <param name="priority">Its priority.</param>
    /// <param name="stepMs">How much earlier a session of high priority counts as come.</param>
    /// <param name="arrival">How many came before it.</param>
    public static Rank Of(long arrivedMs, SessionPriority priority, int stepMs, long arrival) => new(
        arrivedMs + priority switch { SessionPriority.High => -stepMs, SessionPriority.Low => stepMs, _ => 0 }, arrival);

    public int CompareTo(Rank other) => (TimeMs, Arrival).CompareTo((other.TimeMs, other.Arrival));

    public static bool operator <(Rank a, Rank b) => a.CompareTo(b) < 0;

    public static bool operator >(Rank a, Rank b) => a.CompareTo(b) > 0;

    public static bool operator <=(Rank a, Rank b) => a.CompareTo(b) <= 0;

    public static bool operator >=(Rank a, Rank b) => a.CompareTo(b) >= 0;
}
