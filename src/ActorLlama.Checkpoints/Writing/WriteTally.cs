namespace ActorLlama.Checkpoints;

/// <summary>Adds up what several threads have written and reports it.</summary>
internal sealed class WriteTally(long total, Action<WriteProgress>? progress)
{
    private readonly Lock _lock = new();
    private long _written;

    public void Add(long bytes)
    {
        if (progress is null) return;
        // Reports arrive in order and never two at once.
        lock (_lock) progress(new WriteProgress(_written += bytes, total));
    }
}
