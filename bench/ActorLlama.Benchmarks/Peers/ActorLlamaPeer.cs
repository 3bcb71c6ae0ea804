using System.Diagnostics;
using ActorLlama.Benchmarks.Clusters;
using ActorLlama.Cli;
using ActorLlama.Client;
using ActorLlama.Protocol;

namespace ActorLlama.Benchmarks.Peers;

/// <summary>This program as a client sees it: a node process with its actors, sessions over the network, tokens drawn at temperature 1.</summary>
internal sealed class ActorLlamaPeer : IPeer
{
    private const int Context = 16;
    private static readonly SamplingOptions s_greedy = new(0, 1, 0, 0);
    private readonly BenchCluster _cluster;
    private readonly int _vocabulary;
    private readonly Random _random = new(1);
    private ulong _seed;

    private ActorLlamaPeer(BenchCluster cluster, int vocabulary) => (_cluster, _vocabulary) = (cluster, vocabulary);

    public static async Task<ActorLlamaPeer> StartAsync(string model, int vocabulary, int threads, params string[] settings) => new(
        await BenchCluster.StartAsync(new LocalClusterOptions(1, model) { Settings = [$"actorllama.node.device-defaults.threads={threads}", .. settings] }), vocabulary);

    public async Task<IReadOnlyList<float[]>> LogitsAsync(int[] prompt)
    {
        var result = await Open(prompt, tokens: 1, s_greedy, LogitsWanted.All).ReadToEndAsync();
        return [.. Enumerable.Range(0, prompt.Length).Select(position => result.Logits[position])];
    }

    public async Task<double> PrefillAsync(int promptTokens)
    {
        var prompt = Prompt(promptTokens);
        var clock = Stopwatch.StartNew();
        await Open(prompt, tokens: 1, s_greedy).ReadToEndAsync();
        return promptTokens / clock.Elapsed.TotalSeconds;
    }

    public async Task<double> DecodeAsync(int sequences, int tokens)
    {
        // Counted from when the last sequence has its first token until the first has its last: all decode meanwhile.
        var arrivals = await Task.WhenAll(Enumerable.Range(0, sequences).Select(_ => ArrivalsAsync(tokens + 1)));
        var (begin, end) = (arrivals.Max(times => times[0]), arrivals.Min(times => times[^1]));
        if (begin >= end) throw new InvalidDataException($"Bench: of {sequences} sequences of {tokens} tokens one ends before another begins. Ask for more tokens.");
        return arrivals.Sum(times => times.Count(time => time > begin && time <= end)) / Stopwatch.GetElapsedTime(begin, end).TotalSeconds;
    }

    public ValueTask DisposeAsync() => _cluster.DisposeAsync();

    private async Task<List<long>> ArrivalsAsync(int tokens)
    {
        var arrivals = new List<long>(tokens);
        await foreach (var _ in Open(Prompt(Context), tokens, new SamplingOptions(1, 1, 0, ++_seed))) arrivals.Add(Stopwatch.GetTimestamp());
        return arrivals;
    }

    private GenerationStream Open(int[] prompt, int tokens, SamplingOptions sampling, LogitsWanted logits = LogitsWanted.None) =>
        _cluster.Connection.OpenSession(new GenerationRequest(GenerationRequest.Tokens(prompt), tokens) { Sampling = sampling, IgnoreEos = true, Logits = logits });

    private int[] Prompt(int tokens) => [.. Enumerable.Range(0, tokens).Select(_ => _random.Next(_vocabulary))];
}
