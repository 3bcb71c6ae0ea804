namespace ActorLlama.Planning.Sessions;

/// <summary>Bounded exponential delays with jitter, so that many who failed together do not come back together.</summary>
public readonly record struct BackOff(int BaseMs, int MaxMs)
{
    /// <summary>
    /// The delay after the given number of earlier failures: drawn evenly from the upper half of min(MaxMs, BaseMs · 2^failures); without <paramref name="random"/> the longest.
    /// </summary>
    public int DelayMs(int failures, Random? random)
    {
        var ceiling = (int)Math.Min(MaxMs, (long)BaseMs << Math.Clamp(failures, 0, 30));
        return random is null ? ceiling : ceiling - random.Next((ceiling / 2) + 1);
    }
}
