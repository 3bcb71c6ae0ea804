using System.Collections.Immutable;
using ActorLlama.Client;
using ActorLlama.Protocol;

namespace ActorLlama.Cli;

/// <summary>The sessions of a scenario: the same prompts and seeds each time they are opened, so that their tokens must be the same.</summary>
internal sealed class ChaosLoad(ClusterConnection connection, ChaosScenario scenario, int vocabulary)
{
    /// <summary>How long sessions may take to end once nothing is done to them any more.</summary>
    public static readonly TimeSpan LongestEnd = TimeSpan.FromSeconds(120);

    /// <summary>Opens none anew, waits until all have ended, and ends what has not. False where that was too late for some.</summary>
    /// <param name="streams">The sessions.</param>
    /// <param name="until">What they were opened with.</param>
    /// <param name="ending">Ends them.</param>
    public static async Task<bool> EndedAsync(ImmutableArray<ChaosStream> streams, CancellationTokenSource until, CancellationTokenSource ending)
    {
        await until.CancelAsync();
        var all = Task.WhenAll(streams.Select(s => s.Reading));
        var ended = await Task.WhenAny(all, Task.Delay(LongestEnd, ending.Token)) == all;
        await ending.CancelAsync();
        return ended;
    }

    /// <summary>Opens all sessions, and each anew when it has ended, as long as <paramref name="until"/> is not cancelled. Every other one draws its tokens; the rest take the likeliest.</summary>
    /// <param name="seed">Of the prompts.</param>
    /// <param name="until">Cancelled from the beginning: each is opened once.</param>
    /// <param name="cancellation">Ends them.</param>
    public ImmutableArray<ChaosStream> Open(int seed, CancellationToken until, CancellationToken cancellation) =>
        [.. Enumerable.Range(0, scenario.Sessions).Select(i => ChaosStream.Read(() => connection.OpenSession(Request(seed, i)), until, cancellation))];

    /// <summary>Opens each session once.</summary>
    public ImmutableArray<ChaosStream> Open(int seed, CancellationToken cancellation) => Open(seed, new CancellationToken(canceled: true), cancellation);

    private GenerationRequest Request(int seed, int session) => new(GenerationRequest.Tokens(Prompt(seed, session)), scenario.Tokens)
    {
        Sampling = session % 2 == 0 ? new SamplingOptions(0, 1, 0, 0) : new SamplingOptions(0.9, 0.95, 0, (ulong)seed),
        Choice = session,
        IgnoreEos = true,
    };

    /// <summary>Ids from the middle of the vocabulary: the special ones are at its ends.</summary>
    private int[] Prompt(int seed, int session)
    {
        var random = new Random((seed * 1000) + session);
        return [.. Enumerable.Range(0, scenario.PromptTokens).Select(_ => random.Next(vocabulary / 8, vocabulary * 3 / 4))];
    }
}
