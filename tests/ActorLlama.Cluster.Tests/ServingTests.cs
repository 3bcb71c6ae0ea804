using System.Collections.Immutable;
using ActorLlama.Client;
using ActorLlama.Protocol;
using ActorLlama.TestKit;
using Xunit.Abstractions;

namespace ActorLlama.Cluster.Tests;

/// <summary>Many sessions at once, more than there is room for, and clients that vanish or do not read; one cluster for all of it.</summary>
public sealed class ServingTests(ServingCluster serving, ITestOutputHelper output) : IClassFixture<ServingCluster>
{
    private static readonly int[] s_ends = [2049, 2055, 2056];

    [Fact]
    public async Task Sessions_that_come_and_go_over_two_pipelines_have_the_tokens_they_have_alone_though_they_share_kv_and_lose_it()
    {
        var random = new Random(8);
        ImmutableArray<int>[] beginnings = [Undisturbed.Prompt(501, 70), Undisturbed.Prompt(502, 130), Undisturbed.Prompt(503, 200)];
        var requests = Enumerable.Range(0, 32).Select(i => (
            Prompt: (ImmutableArray<int>)[.. i % 2 == 0 ? beginnings[i % 3] : [], .. Undisturbed.Prompt(510 + i, random.Next(1, 40))],
            Tokens: i % 4 == 1 ? 250 : random.Next(5, 50),
            Leaves: i % 5 == 3 ? random.Next(1, 5) : int.MaxValue)).ToArray();
        await serving.RestAsync();

        // Whether sessions meet in numbers that exhaust the KV depends on how soon they are let in: a busy machine may want another round.
        var loads = await serving.LoadsAsync();
        var before = loads.Sum(l => l.Preemptions);
        for (var round = 0; round < 3 && loads.Sum(l => l.Preemptions) == before; round++)
        {
            var ids = await Task.WhenAll(requests.Select(async (r, i) =>
            {
                await Task.Delay(10 * i);
                return await ReadAsync(r.Prompt, r.Tokens, r.Leaves);
            }));

            for (var i = 0; i < requests.Length; i++)
            {
                var expected = Undisturbed.Tokens(requests[i].Prompt, requests[i].Tokens);
                Undisturbed.Same(expected[..Math.Min(requests[i].Leaves, requests[i].Tokens)], ids[i], $"session {i}");
            }

            await serving.RestAsync();
            loads = await serving.LoadsAsync();
        }

        foreach (var load in loads) output.WriteLine($"{load}");
        Assert.True(loads.Sum(l => l.Preemptions) > before, "no KV was taken away");
        Assert.True(loads.Sum(l => l.ReusedPositions) > 0, "no KV was shared");
        Assert.All(loads, l => Assert.True(l.Whole.Held > 0, $"pipeline {l.Pipeline} served nobody"));
    }

    [Fact]
    public async Task Of_five_hundred_sessions_each_is_served_or_told_busy_with_the_number_waiting_and_when_to_come_again()
    {
        await serving.RestAsync();
        var memory = (await serving.Cluster.StatusAsync()).Nodes.Sum(n => n.Counters.PrivateBytes);
        ImmutableArray<int>[] prompts = [.. Enumerable.Range(0, 5).Select(i => Undisturbed.Prompt(600 + i, 10 + i))];
        var served = Enumerable.Range(0, 500).Select(i => TryReadAsync(prompts[i % prompts.Length], 8)).ToArray();
        var all = Task.WhenAll(served);
        while (!all.IsCompleted)
        {
            Assert.All(await serving.LoadsAsync(), l => Assert.True(l.Running <= ServingCluster.MaxRunning && l.Waiting <= ServingCluster.MaxWaiting, $"{l}"));
            await Task.WhenAny(all, Task.Delay(100));
        }

        var answers = await all.WaitAsync(TimeSpan.FromSeconds(60));
        for (var i = 0; i < answers.Length; i++)
            if (answers[i].Ids is { } ids) Undisturbed.Same(Undisturbed.Tokens(prompts[i % prompts.Length], 8), ids, $"session {i}");
        var busy = answers.Where(a => a.Busy is not null).Select(a => a.Busy!).ToList();
        output.WriteLine($"{500 - busy.Count} served, {busy.Count} busy");
        Assert.InRange(busy.Count, 1, 500 - (2 * ServingCluster.MaxRunning));
        Assert.All(busy, b => Assert.Equal((RefusalReason.Busy, true), (b.Reason, b.RetryAfter > TimeSpan.Zero)));
        Assert.All(busy, b => Assert.Contains("sequences wait already", b.Message, StringComparison.Ordinal));

        await serving.RestAsync();
        var status = await serving.Cluster.WaitUntilAsync(s => s.Nodes.Sum(n => n.Counters.Sessions) == 0, "no session");
        Assert.InRange(status.Nodes.Sum(n => n.Counters.PrivateBytes) - memory, long.MinValue, 300L << 20);
    }

    [Fact]
    public async Task A_client_that_vanishes_frees_its_kv_long_before_it_would_be_missed()
    {
        await serving.RestAsync();
        using var client = await ClientProcess.StartAsync(serving.Cluster.Address, EndlessPrompt(), 700);
        await serving.Cluster.WaitUntilAsync(s => ServingCluster.Loads(s).Sum(l => l.Whole.Used) > 0, "KV in use");
        client.Signal(ProcessSignal.Kill);
        var freed = await serving.RestAsync();
        output.WriteLine($"freed after {freed.TotalMilliseconds:0} ms");

        // Silence alone is noticed after ten seconds. One is the aim; the machine may have other work.
        Assert.InRange(freed, TimeSpan.Zero, TimeSpan.FromSeconds(4));
    }

    [Fact]
    public async Task A_client_that_does_not_read_holds_nobody_back_and_misses_nothing()
    {
        await serving.RestAsync();
        var prompt = EndlessPrompt();
        using var client = await ClientProcess.StartAsync(serving.Cluster.Address, prompt, 700);
        client.Signal(ProcessSignal.Stop);
        var other = Undisturbed.Prompt(701, 30);
        Undisturbed.Same(Undisturbed.Tokens(other, 60), await ReadAsync(other, 60, int.MaxValue), "the other session");
        client.Signal(ProcessSignal.Continue);
        await client.ReadToEndAsync();
        Undisturbed.Same(Undisturbed.Tokens(prompt, 700), [.. client.Ids], "the one that did not read");
    }

    /// <summary>A prompt whose greedy answer does not end by itself.</summary>
    private static ImmutableArray<int> EndlessPrompt() => Enumerable.Range(700, 100)
        .Select(seed => Undisturbed.Prompt(seed, 20))
        .First(p => !Undisturbed.Tokens(p, 700).Any(s_ends.Contains));

    private async Task<ImmutableArray<int>> ReadAsync(ImmutableArray<int> prompt, int tokens, int leaves)
    {
        var ids = ImmutableArray.CreateBuilder<int>();
        await foreach (var token in serving.Cluster.Generate(prompt, tokens))
        {
            ids.Add(token.Id);
            if (ids.Count == leaves) break;
        }

        return ids.ToImmutable();
    }

    private async Task<(ImmutableArray<int>? Ids, GenerationFailedException? Busy)> TryReadAsync(ImmutableArray<int> prompt, int tokens)
    {
        try
        {
            return ((await serving.Cluster.Generate(prompt, tokens, busyTimeout: TimeSpan.Zero).ReadToEndAsync()).Tokens, null);
        }
        catch (GenerationFailedException e) when (e.Reason == RefusalReason.Busy)
        {
            return (null, e);
        }
    }
}
