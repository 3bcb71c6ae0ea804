using ActorLlama.Client;

namespace ActorLlama.Cli;

/// <summary>Looks now and then whether the cluster still answers, and tells when that changes. Ends when disposed.</summary>
internal sealed class ClusterWatch : IAsyncDisposable
{
    private static readonly TimeSpan s_pause = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(4);
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _watching;
    private volatile bool _isLost;

    public ClusterWatch(ClusterConnection connection, Action<bool> onChange) => _watching = WatchAsync(connection, onChange);

    /// <summary>Nobody answered last time.</summary>
    public bool IsLost => _isLost;

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _watching;
        _stop.Dispose();
    }

    private async Task WatchAsync(ClusterConnection connection, Action<bool> onChange)
    {
        try
        {
            while (true)
            {
                var isLost = !await AnswersAsync(connection);
                if (isLost != _isLost)
                {
                    _isLost = isLost;
                    onChange(isLost);
                }

                await Task.Delay(s_pause, _stop.Token);
            }
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // Asked to end.
        }
    }

    private async Task<bool> AnswersAsync(ClusterConnection connection)
    {
        try
        {
            _ = await connection.GetModelAsync(s_patience, _stop.Token);
            return true;
        }
        catch (ClusterUnreachableException)
        {
            return false;
        }
    }
}
