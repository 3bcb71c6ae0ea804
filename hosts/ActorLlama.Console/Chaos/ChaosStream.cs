using System.Collections.Immutable;
using System.Diagnostics;
using ActorLlama.Client;

namespace ActorLlama.Cli;

/// <summary>A session that is being read, and others like it after it: which tokens have come, and when on <see cref="Stopwatch"/>'s clock.</summary>
internal sealed class ChaosStream
{
    // Written by the reader, read by those who wait and judge.
    private readonly Lock _lock = new();
    private readonly List<int> _ids = [];
    private readonly List<ImmutableArray<int>> _answers = [];
    private readonly SemaphoreSlim _came = new(0);

    /// <summary>Times without a token, each longer than all after it: nothing else can be the longest since some moment.</summary>
    private readonly List<(long End, long Length)> _pauses = [];
    private long _last = Stopwatch.GetTimestamp();
    private int _ended;

    private ChaosStream()
    {
    }

    /// <summary>Tokens of the session that runs, or ran last.</summary>
    public int Count
    {
        get
        {
            lock (_lock) return _ids.Count;
        }
    }

    /// <summary>Tokens of all sessions.</summary>
    public long Tokens { get; private set; }

    /// <summary>Sessions that have ended.</summary>
    public int Ended => Volatile.Read(ref _ended);

    /// <summary>What the sessions got, each different answer once, the last one always.</summary>
    public ImmutableArray<ImmutableArray<int>> Answers
    {
        get
        {
            lock (_lock) return [.. _answers, .. _answers.Any(a => a.SequenceEqual(_ids)) ? [] : new[] { _ids.ToImmutableArray() }];
        }
    }

    /// <summary>Ends when the last session has; does not throw what a session threw: that is <see cref="Failure"/>.</summary>
    public Task Reading { get; private set; } = Task.CompletedTask;

    public string? Failure { get; private set; }

    /// <summary>Ends when the first session is open.</summary>
    public Task Opened { get; private init; } = Task.CompletedTask;

    /// <summary>From the opening to the first token of all.</summary>
    public TimeSpan FirstToken { get; private set; }

    /// <summary>Reads a session, and opens another when it has ended, as long as <paramref name="until"/> is not cancelled.</summary>
    public static ChaosStream Read(Func<GenerationStream> open, CancellationToken until, CancellationToken cancellation)
    {
        var first = open();
        var read = new ChaosStream { Opened = first.PromptTokens };
        read.Reading = read.ReadAsync(first, open, until, cancellation);
        return read;
    }

    /// <summary>Waits until the first session has so many tokens, or the stream has ended.</summary>
    public async Task WaitForAsync(int count, CancellationToken cancellation)
    {
        while (Count < count && Ended == 0 && !Reading.IsCompleted) await _came.WaitAsync(TimeSpan.FromMilliseconds(100), cancellation);
    }

    /// <summary>The longest time without a token of which some lies behind <paramref name="since"/>; an opening counts as a token.</summary>
    public TimeSpan LongestPauseSince(long since)
    {
        lock (_lock) return Stopwatch.GetElapsedTime(0, _pauses.Where(p => p.End > since).Select(p => p.Length).DefaultIfEmpty().Max());
    }

    private async Task ReadAsync(GenerationStream stream, Func<GenerationStream> open, CancellationToken until, CancellationToken cancellation)
    {
        var opened = Stopwatch.GetTimestamp();
        try
        {
            while (true)
            {
                await foreach (var token in stream.WithCancellation(cancellation)) Take(token, opened);
                Interlocked.Increment(ref _ended);
                if (until.IsCancellationRequested) return;
                Begin();
                stream = open();
            }
        }
        catch (GenerationFailedException e)
        {
            Failure ??= e.Message;
        }
    }

    private void Take(GeneratedToken token, long opened)
    {
        lock (_lock)
        {
            var now = Stopwatch.GetTimestamp();
            if (token.Index != _ids.Count) Failure ??= $"token {token.Index} came as number {_ids.Count}";
            if (FirstToken == TimeSpan.Zero) FirstToken = Stopwatch.GetElapsedTime(opened, now);
            _ids.Add(token.Id);
            Tokens++;
            Pause(now);
        }

        _came.Release();
    }

    /// <summary>Another session begins.</summary>
    private void Begin()
    {
        lock (_lock)
        {
            if (!_answers.Any(a => a.SequenceEqual(_ids))) _answers.Add([.. _ids]);
            _ids.Clear();
            Pause(Stopwatch.GetTimestamp());
        }
    }

    private void Pause(long now)
    {
        var length = now - _last;
        _last = now;
        while (_pauses.Count > 0 && _pauses[^1].Length <= length) _pauses.RemoveAt(_pauses.Count - 1);
        _pauses.Add((now, length));
    }
}
