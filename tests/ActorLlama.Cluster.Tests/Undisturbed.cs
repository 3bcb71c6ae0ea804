using System.Collections.Concurrent;
using System.Collections.Immutable;
using ActorLlama.Checkpoints;
using ActorLlama.Model;
using ActorLlama.Protocol;

namespace ActorLlama.Cluster.Tests;

/// <summary>The tokens of the sample model, from the whole model in this process: what every cluster must give.</summary>
internal static class Undisturbed
{
    private static readonly Lazy<(Checkpoint Checkpoint, CpuBackend Backend, LlamaDecoder Decoder)> s_model = new(Load);
    private static readonly ConcurrentDictionary<(string, int, SamplingOptions?, int), ImmutableArray<(int Id, TokenLogProbs LogProbs)>> s_known = new();

    /// <summary>How many rivals each token's log-probabilities tell of.</summary>
    public const int TopLogProbs = 2;

    /// <summary>Prompts of the vocabulary's plain ids, each different.</summary>
    public static ImmutableArray<int> Prompt(int seed, int length)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, length).Select(_ => random.Next(256, 2000))];
    }

    /// <summary>What follows on <paramref name="prompt"/>, greedily; ends of text are ids like any other.</summary>
    public static ImmutableArray<int> Tokens(ImmutableArray<int> prompt, int count) => [.. Sampled(prompt, count, null, 0).Select(t => t.Id)];

    /// <summary>What follows on <paramref name="prompt"/>, chosen so (null: greedily).</summary>
    public static ImmutableArray<(int Id, TokenLogProbs LogProbs)> Sampled(ImmutableArray<int> prompt, int count, SamplingOptions? sampling, int choice) =>
        s_known.GetOrAdd((string.Join(',', prompt), count, sampling, choice), _ => Generate(prompt, count, SettingsOf(sampling), (uint)choice));

    /// <summary>Fails with the place of the first wrong, missing or surplus token.</summary>
    public static void Same(ImmutableArray<int> expected, ImmutableArray<int> actual, string who)
    {
        var same = expected.Zip(actual).TakeWhile(p => p.First == p.Second).Count();
        Assert.True(same == expected.Length && actual.Length == same, $"{who}: {actual.Length} tokens, of which the first {same} of {expected.Length} are right");
    }

    private static ImmutableArray<(int, TokenLogProbs)> Generate(ImmutableArray<int> prompt, int count, SamplingSettings settings, uint choice)
    {
        var (_, backend, decoder) = s_model.Value;
        lock (decoder)
        {
            using var cache = decoder.NewCache();
            var tokens = ImmutableArray.CreateBuilder<(int, TokenLogProbs)>(count);
            List<int> history = [.. prompt];
            for (var at = 0; tokens.Count < count; at = history.Count - 1)
            {
                var next = history[at..].ToArray();
                using var logits = decoder.Forward(new RowBatch([new SequenceRows(cache, at, next.Length)]), next, [next.Length - 1]);
                tokens.Add(Choose(backend, logits, settings, choice, history));
                history.Add(tokens[^1].Item1);
            }

            return tokens.MoveToImmutable();
        }
    }

    private static (int, TokenLogProbs) Choose(CpuBackend backend, Activation logits, SamplingSettings settings, uint choice, List<int> history)
    {
        var raw = new float[logits.Width];
        backend.CopyRow(logits, 0, raw);
        var row = raw.ToArray();
        Sampler.Penalize(row, history.ToArray(), settings.RepetitionPenalty);
        var id = Sampler.Choose(row, settings, choice, history.Count);
        var likely = TokenLikelihood.Of(raw, id, TopLogProbs);
        return (id, new(likely.LogProb, likely.TopIds, likely.TopLogProbs));
    }

    private static SamplingSettings SettingsOf(SamplingOptions? options) => options is null
        ? SamplingSettings.Greedy
        : new(options.Temperature, options.TopP, options.TopK, options.Seed) { RepetitionPenalty = options.RepetitionPenalty };

    private static (Checkpoint, CpuBackend, LlamaDecoder) Load()
    {
        var checkpoint = CheckpointDirectory.Open(TestCluster.SampleModel);
        var backend = new CpuBackend(0, 1, ActivationType.Float32, checkpoint.Config);
        return (checkpoint, backend, LlamaDecoder.Load(backend, checkpoint.Config, checkpoint));
    }
}
