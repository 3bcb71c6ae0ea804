using System.Collections.Concurrent;
using System.Diagnostics;
using ActorLlama.Benchmarks.Clusters;
using ActorLlama.Client;

namespace ActorLlama.Benchmarks.Fairness;

/// <summary>Sessions that stream side by side until this is disposed; each gap between tokens is kept. Times are those of one clock.</summary>
internal sealed class StreamingTable : IAsyncDisposable
{
    private const int PromptTokens = 16;
    private readonly Stopwatch _clock;
    private readonly ConcurrentBag<Gap> _gaps = [];
    private readonly GenerationStream[] _streams;
    private readonly Task[] _readers;
    private int _started;

    /// <param name="cluster">Where.</param>
    /// <param name="sessions">How many.</param>
    /// <param name="mostTokens">Of each session; more than it will come to.</param>
    /// <param name="clock">A running clock.</param>
    public StreamingTable(BenchCluster cluster, int sessions, int mostTokens, Stopwatch clock)
    {
        _clock = clock;
        _streams = [.. Enumerable.Range(0, sessions).Select(i => cluster.Generate(new Random(i), PromptTokens, mostTokens))];
        _readers = [.. _streams.Select(ReadAsync)];
    }

    public IReadOnlyCollection<Gap> Gaps => _gaps;

    /// <summary>Waits until every session streams. Throws what ended one.</summary>
    public async Task StreamForAsync(TimeSpan time)
    {
        for (var waited = 0; Volatile.Read(ref _started) < _streams.Length; waited++)
        {
            if (waited == 1200) throw new InvalidDataException($"Fairness: {_started} of {_streams.Length} sessions stream after two minutes.");
            await Task.Delay(100);
        }

        await Task.Delay(time);
        foreach (var ended in _readers.Where(r => r.IsCompleted))
        {
            await ended;
            throw new InvalidDataException("Fairness: a session came to its end while it was to stream. Measure for less time.");
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var stream in _streams) stream.Cancel();
        await Task.WhenAll(_readers);
    }

    private async Task ReadAsync(GenerationStream stream)
    {
        TimeSpan? last = null;
        await foreach (var _ in stream)
        {
            var now = _clock.Elapsed;
            if (last is { } before) _gaps.Add(new Gap(stream.Session, before, now));
            else Interlocked.Increment(ref _started);
            last = now;
        }
    }
}
