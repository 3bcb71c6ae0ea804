using System.Collections.Concurrent;
using System.Collections.Immutable;
using ActorLlama.Checkpoints;
using ActorLlama.Model;

namespace ActorLlama.Cluster.Tests;

/// <summary>The greedy tokens of the sample model, from the whole model in this process: what every cluster must give.</summary>
internal static class Undisturbed
{
    private static readonly Lazy<(Checkpoint Checkpoint, CpuBackend Backend, LlamaDecoder Decoder)> s_model = new(Load);
    private static readonly ConcurrentDictionary<(string, int), ImmutableArray<int>> s_known = new();

    /// <summary>Prompts of the vocabulary's plain ids, each different.</summary>
    public static ImmutableArray<int> Prompt(int seed, int length)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, length).Select(_ => random.Next(256, 2000))];
    }

    /// <summary>What follows on <paramref name="prompt"/>; ends of text are ids like any other.</summary>
    public static ImmutableArray<int> Tokens(ImmutableArray<int> prompt, int count) =>
        s_known.GetOrAdd((string.Join(',', prompt), count), _ => Generate(prompt, count));

    /// <summary>Fails with the place of the first wrong, missing or surplus token.</summary>
    public static void Same(ImmutableArray<int> expected, ImmutableArray<int> actual, string who)
    {
        var same = expected.Zip(actual).TakeWhile(p => p.First == p.Second).Count();
        Assert.True(same == expected.Length && actual.Length == same, $"{who}: {actual.Length} tokens, of which the first {same} of {expected.Length} are right");
    }

    private static ImmutableArray<int> Generate(ImmutableArray<int> prompt, int count)
    {
        var (_, backend, decoder) = s_model.Value;
        lock (decoder)
        {
            using var cache = decoder.NewCache();
            var tokens = ImmutableArray.CreateBuilder<int>(count);
            int[] next = [.. prompt];
            for (var at = 0; tokens.Count < count; at += next.Length, next = [tokens[^1]])
            {
                using var logits = decoder.Forward(new RowBatch([new SequenceRows(cache, at, next.Length)]), next, [next.Length - 1]);
                tokens.Add(Greedy(backend, logits));
            }

            return tokens.MoveToImmutable();
        }
    }

    private static int Greedy(CpuBackend backend, Activation logits)
    {
        var row = new float[logits.Width];
        backend.CopyRow(logits, 0, row);
        return row.AsSpan().IndexOf(row.Max());
    }

    private static (Checkpoint, CpuBackend, LlamaDecoder) Load()
    {
        var checkpoint = CheckpointDirectory.Open(TestCluster.SampleModel);
        var backend = new CpuBackend(0, 1, ActivationType.Float32, checkpoint.Config);
        return (checkpoint, backend, LlamaDecoder.Load(backend, checkpoint.Config, checkpoint, allowNaN: false));
    }
}
