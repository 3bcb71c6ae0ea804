using System.Collections.Immutable;
using System.Diagnostics;
using ActorLlama.Client;

namespace ActorLlama.Cli;

/// <summary>A session that is being read: which tokens have come, and when on <see cref="Stopwatch"/>'s clock.</summary>
internal sealed class ChaosStream
{
    private readonly List<(int Id, long At)> _tokens = [];
    private readonly long _opened = Stopwatch.GetTimestamp();
    private readonly SemaphoreSlim _came = new(0);

    private ChaosStream()
    {
    }

    public int Count
    {
        get
        {
            lock (_tokens) return _tokens.Count;
        }
    }

    public ImmutableArray<int> Ids
    {
        get
        {
            lock (_tokens) return [.. _tokens.Select(t => t.Id)];
        }
    }

    /// <summary>Ends when the stream has; does not throw. What the stream threw is <see cref="Failure"/>.</summary>
    public Task Reading { get; private set; } = Task.CompletedTask;

    public string? Failure { get; private set; }

    /// <summary>Ends when the session is open.</summary>
    public Task Opened { get; private init; } = Task.CompletedTask;

    public static ChaosStream Read(GenerationStream stream, CancellationToken cancellation)
    {
        var read = new ChaosStream { Opened = stream.PromptTokens };
        read.Reading = read.ReadAsync(stream, cancellation);
        return read;
    }

    /// <summary>Waits until so many tokens have come, or the stream has ended.</summary>
    public async Task WaitForAsync(int count, CancellationToken cancellation)
    {
        while (Count < count && !Reading.IsCompleted) await _came.WaitAsync(TimeSpan.FromMilliseconds(100), cancellation);
    }

    /// <summary>The longest time without a token of which some lies behind <paramref name="since"/>; the opening counts as a token.</summary>
    public TimeSpan LongestPauseSince(long since)
    {
        lock (_tokens)
        {
            long[] times = [_opened, .. _tokens.Select(t => t.At)];
            var longest = times.Zip(times.Skip(1)).Where(gap => gap.Second > since).Select(gap => gap.Second - gap.First).DefaultIfEmpty().Max();
            return Stopwatch.GetElapsedTime(0, longest);
        }
    }

    private async Task ReadAsync(GenerationStream stream, CancellationToken cancellation)
    {
        try
        {
            await foreach (var token in stream.WithCancellation(cancellation))
            {
                lock (_tokens)
                {
                    if (token.Index != _tokens.Count) Failure ??= $"token {token.Index} came as number {_tokens.Count}";
                    _tokens.Add((token.Id, Stopwatch.GetTimestamp()));
                }

                _came.Release();
            }
        }
        catch (GenerationFailedException e)
        {
            Failure ??= e.Message;
        }
    }
}
