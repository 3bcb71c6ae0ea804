using System.Collections.Immutable;
using ActorLlama.Planning.Batching;
using ActorLlama.Planning.Kv;
using ActorLlama.Protocol;

namespace ActorLlama.Runtime.Tests.Stages;

/// <summary>What a session is given does not depend on who else is there: neither on whose blocks it begins with, nor on how often its own were taken.</summary>
public sealed class SharedKvTests : IDisposable
{
    private const int Sessions = 32;
    private readonly LocalPipeline _pipeline = new();
    private readonly Random _random = new(20);

    public void Dispose() => _pipeline.Dispose();

    [Fact]
    public void Sessions_that_come_and_go_share_kv_and_lose_it_have_the_bits_they_have_alone()
    {
        var beginnings = new[] { 70, 130, 260 }.Select(Ids).ToArray();
        var requests = Enumerable.Range(0, Sessions).Select(i => Request(i, beginnings)).ToArray();
        var options = new SchedulerOptions
        {
            MaxSequences = Sessions,
            PrefillChunk = 96,
            MaxBatchesInFlight = 2,
            MaxPositions = _pipeline.Config.MaxPositions,
            Kv = KvRoom.Of(_pipeline.Shape, positions: 64 * 12, sequences: 9),
        };
        var leaving = requests.Where(_ => _random.Next(5) == 0).ToDictionary(r => r.Session, _ => _random.Next(1, 20));
        var (together, load) = Run(options, requests, leaving);

        Assert.InRange(load.Preemptions, 3, 1000);
        Assert.InRange(load.ReusedPositions, 1000, 100_000);
        var alone = new SchedulerOptions { SharesPrefixes = false, MaxPositions = _pipeline.Config.MaxPositions };
        foreach (var request in requests)
        {
            var (expected, _) = Run(alone, [request], []);
            var heard = together[request.Session];
            Assert.True(heard.Ids.Count > 0 && (leaving.ContainsKey(request.Session) || heard.Ids.Count == request.MaxTokens), $"{request.Session}: {heard.Ids.Count} tokens");
            Assert.Equal(expected[request.Session].Ids.Take(heard.Ids.Count), heard.Ids);
            foreach (var (position, logits) in heard.Logits)
                Assert.True(expected[request.Session].Logits[position].AsSpan().SequenceEqual(logits), $"{request.Session}: other logits at position {position}");
        }
    }

    /// <summary>Runs requests that arrive one after the other between batches; those that leave do so after so many tokens.</summary>
    private (Dictionary<SessionId, Heard> Heard, NodeProtocol.PipelineLoad Load) Run(
        SchedulerOptions options, SchedulerProtocol.Submit[] requests, Dictionary<SessionId, int> leaving)
    {
        var state = new SchedulerState(options, 0, 1, new Random(1));
        var heard = requests.ToDictionary(r => r.Session, _ => new Heard());
        var arriving = new Queue<SchedulerProtocol.Submit>(requests);
        var batches = new Queue<SchedulerEffect.RunBatch>();
        byte[] logits = [];
        while (arriving.Count > 0 || batches.Count > 0)
        {
            if (arriving.Count > 0 && (batches.Count == 0 || _random.Next(3) == 0)) Perform(state.Submit(arriving.Dequeue(), "", 0));
            if (batches.Count == 0) continue;
            (var ran, logits) = _pipeline.Run(batches.Dequeue());
            Perform(state.Ran(ran, 0));
        }

        var load = state.Load;
        Assert.Equal((0, 0, 0L, 0L), (load.Running, load.Waiting, load.Whole.Used, load.Chunked.Used));
        var (layers, whole) = (_pipeline.Config.Layers, _pipeline.Config.UsesRope.Count(r => !r));
        Assert.Equal(((whole * load.Whole.Held) + ((layers - whole) * load.Chunked.Held)) * _pipeline.BlockBytes, _pipeline.KvBytes);
        _pipeline.Forget();
        return (heard, load);

        void Perform(ImmutableArray<SchedulerEffect> effects)
        {
            foreach (var effect in effects)
                switch (effect)
                {
                    case SchedulerEffect.RunBatch run: batches.Enqueue(run); break;
                    case SchedulerEffect.Free free: _pipeline.Free(free.Sequences); break;
                    case SchedulerEffect.RouteLogits route:
                        var rowBytes = _pipeline.Config.VocabSize * sizeof(float);
                        foreach (var row in route.Rows) heard[row.Session].Logits[row.Position] = logits[(row.PayloadRow * rowBytes)..((row.PayloadRow + 1) * rowBytes)];
                        break;
                    case SchedulerEffect.Tell { Message: SchedulerProtocol.Sampled sampled }:
                        var ids = heard[sampled.Session].Ids;
                        ids.Add(sampled.Id);
                        if (leaving.TryGetValue(sampled.Session, out var last) && ids.Count == last && !sampled.IsLast)
                            Perform(state.Withdraw(new(sampled.Session, sampled.Attempt), 0));
                        break;
                }
        }
    }

    private SchedulerProtocol.Submit Request(int index, ImmutableArray<int>[] beginnings)
    {
        ImmutableArray<int> prompt = [.. index % 2 == 0 ? [] : beginnings[index % 3], .. Ids(_random.Next(1, 40))];
        var sampling = index % 2 == 0 ? new SamplingOptions(0, 1, 0, 0) : new SamplingOptions(0.9, 0.95, 0, (ulong)index);
        return new(
            new($"s{index}"), 1, prompt, prompt.Length, index % 4 == 1 ? 250 : _random.Next(5, 60), [], sampling, index % 5 == 0 ? LogitsWanted.Generated : LogitsWanted.None,
            (SessionPriority)(index % 3));
    }

    private ImmutableArray<int> Ids(int count) => [.. Enumerable.Range(0, count).Select(_ => _random.Next(256, 2000))];

    private sealed record Heard
    {
        public List<int> Ids { get; } = [];

        public Dictionary<int, byte[]> Logits { get; } = [];
    }
}
