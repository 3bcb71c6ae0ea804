using System.Collections.Immutable;
using System.Diagnostics;
using ActorLlama.Client;
using ActorLlama.Protocol;

namespace ActorLlama.Cluster.Tests;

/// <summary>A stream that is being read: what has come, and when.</summary>
internal sealed class RunningStream
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(120);
    private readonly Stopwatch _clock = Stopwatch.StartNew();
    private readonly List<(int Id, TokenLogProbs? LogProbs, TimeSpan At)> _tokens = [];
    private readonly SemaphoreSlim _came = new(0);
    private readonly Task _reading;

    public RunningStream(GenerationStream stream) => _reading = ReadAsync(stream);

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

    public ImmutableArray<TokenLogProbs?> LogProbs
    {
        get
        {
            lock (_tokens) return [.. _tokens.Select(t => t.LogProbs)];
        }
    }

    /// <summary>The longest time without a token, from the first to the last.</summary>
    public TimeSpan LongestPause
    {
        get
        {
            lock (_tokens) return _tokens.Zip(_tokens.Skip(1), (a, b) => b.At - a.At).DefaultIfEmpty().Max();
        }
    }

    /// <summary>Waits until so many tokens have come; throws when the stream fails before.</summary>
    public async Task WaitForAsync(int count)
    {
        while (Count < count)
        {
            if (_reading.IsCompleted && Count < count) await _reading;
            Assert.False(_reading.IsCompleted && Count < count, $"the stream ended after {Count} tokens, before {count} had come");
            await _came.WaitAsync(TimeSpan.FromMilliseconds(100));
        }
    }

    /// <summary>Waits for the end, for a bounded time; throws what the stream throws.</summary>
    public Task EndAsync() => _reading.WaitAsync(s_patience);

    private async Task ReadAsync(GenerationStream stream)
    {
        await foreach (var token in stream)
        {
            lock (_tokens)
            {
                Assert.Equal(_tokens.Count, token.Index);
                _tokens.Add((token.Id, token.LogProbs, _clock.Elapsed));
            }

            _came.Release();
        }
    }
}
