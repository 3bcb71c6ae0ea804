namespace ActorLlama.Planning.Routing;

/// <summary>Bounds of a layer's expert calls, in milliseconds.</summary>
public sealed record ExpertCallOptions
{
    /// <summary>How long a call may go unanswered, and its device silent, before its rows are sent again.</summary>
    public int CallDeadlineMs { get; init; } = 1500;

    /// <summary>
    /// How long a layer may wait for all its rows before its batch fails, while no device says that it is at work. Below the scheduler's
    /// deadline for the batch.
    /// </summary>
    public int LayerDeadlineMs { get; init; } = 3500;

    /// <summary>How often the rows of one shard are sent.</summary>
    public int MaxSends { get; init; } = 8;

    /// <summary>How long a device that is at work may keep a layer waiting.</summary>
    public int WorkLimitMs { get; init; } = 60_000;

    /// <summary>
    /// About how long to wait before a busy shard without another replica is asked again, or one that failed; doubled each time in a row, and drawn from the upper half of that.
    /// </summary>
    public int BusyMs { get; init; } = 50;

    /// <summary>All faults, one sentence each; empty when the options can be used.</summary>
    public IEnumerable<string> Faults()
    {
        (string Name, int Value)[] positive =
            [(nameof(CallDeadlineMs), CallDeadlineMs), (nameof(LayerDeadlineMs), LayerDeadlineMs), (nameof(MaxSends), MaxSends), (nameof(BusyMs), BusyMs),
                (nameof(WorkLimitMs), WorkLimitMs)];
        foreach (var (name, value) in positive)
            if (value < 1)
                yield return $"Expert calls: {name} is {value}; it must be at least 1.";
    }
}
