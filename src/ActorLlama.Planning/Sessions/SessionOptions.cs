namespace ActorLlama.Planning.Sessions;

/// <summary>Bounds of a session; times are milliseconds.</summary>
public sealed record SessionOptions
{
    /// <summary>How often a submitted sequence is renewed at its scheduler, which answers.</summary>
    public int RenewMs { get; init; } = 1000;

    /// <summary>A scheduler that says nothing for so long is submitted to again.</summary>
    public int StallMs { get; init; } = 3500;

    /// <summary>How long a session that is not running normally may go without progress before it ends as failed.</summary>
    public int FailAfterMs { get; init; } = 12_000;

    /// <summary>How many times a scheduler may say that its pipeline failed before one token comes.</summary>
    public int MaxFailures { get; init; } = 3;

    /// <summary>How many times the session may be submitted before one token comes.</summary>
    public int MaxSubmits { get; init; } = 40;

    /// <summary>Delay before a refused session is submitted again.</summary>
    public BackOff BackOff { get; init; } = new(100, 2000);

    /// <summary>Tokens that are not acknowledged for so long are sent to the client again.</summary>
    public int ResendMs { get; init; } = 2000;

    /// <summary>Tokens that come sooner than this after others were sent wait for those that follow, or for the next tick.</summary>
    public int StreamMs { get; init; }

    /// <summary>Tokens that may be on their way to the client unacknowledged; the others wait in the session.</summary>
    public int WindowTokens { get; init; } = 256;

    /// <summary>A client that says nothing for so long is gone, and its session ends.</summary>
    public int ClientTimeoutMs { get; init; } = 30_000;

    /// <summary>How long a finished session stays to be heard, when the client does not acknowledge its end.</summary>
    public int LingerMs { get; init; } = 30_000;

    /// <summary>Tokens that one session may ask for.</summary>
    public int MaxTokens { get; init; } = int.MaxValue;

    /// <summary>How long one session may take, whatever its client allows.</summary>
    public int MaxDurationMs { get; init; } = 3_600_000;

    /// <summary>All faults, one sentence each; empty when the options can be used.</summary>
    public IEnumerable<string> Faults()
    {
        (string Name, int Value)[] positive =
        [
            (nameof(RenewMs), RenewMs), (nameof(StallMs), StallMs), (nameof(FailAfterMs), FailAfterMs), (nameof(MaxFailures), MaxFailures),
            (nameof(MaxSubmits), MaxSubmits), (nameof(ResendMs), ResendMs), (nameof(WindowTokens), WindowTokens),
            (nameof(ClientTimeoutMs), ClientTimeoutMs), (nameof(LingerMs), LingerMs), ("BackOff.BaseMs", BackOff.BaseMs), (nameof(MaxTokens), MaxTokens), (nameof(MaxDurationMs), MaxDurationMs),
        ];
        foreach (var (name, value) in positive)
            if (value < 1)
                yield return $"Sessions: {name} is {value}; it must be at least 1.";
        if (StreamMs < 0)
            yield return $"Sessions: {nameof(StreamMs)} is {StreamMs}; it must be at least 0.";
        if (StallMs <= RenewMs)
            yield return $"Sessions: {nameof(StallMs)} {StallMs} is not above {nameof(RenewMs)} {RenewMs}; "
                + "a scheduler would seem silent between two renewals. Raise it.";
        if (BackOff.MaxMs < BackOff.BaseMs)
            yield return $"Sessions: BackOff.MaxMs {BackOff.MaxMs} is below BackOff.BaseMs {BackOff.BaseMs}. Raise it.";
    }
}
