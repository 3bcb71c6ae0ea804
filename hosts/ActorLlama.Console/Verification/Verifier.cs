using System.Collections.Immutable;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using ActorLlama.Client;
using ActorLlama.Protocol;
using ActorLlama.Runtime.Configuration;

namespace ActorLlama.Cli;

/// <summary>Runs a golden case through a cluster, all sequences at once.</summary>
internal static class Verifier
{
    private static readonly TimeSpan s_answer = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan s_countersFor = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan s_report = TimeSpan.FromMilliseconds(1500);
    private static readonly TimeSpan s_countersPoll = TimeSpan.FromMilliseconds(250);
    private static readonly SamplingOptions s_greedy = new(0, 1, 0, 0);

    public static async Task<VerificationReport> RunAsync(
        ClusterConnection connection, GoldenCase golden, bool bfloat16, CancellationToken cancellation)
    {
        var before = await connection.GetStatusAsync(s_answer, cancellation);
        var prefills = await Task.WhenAll((golden.Prefill?.Sequences ?? []).Select(s =>
            RunAsync(connection, s, maxTokens: 1, LogitsWanted.All, cancellation)));
        var decode = golden.Decode is { } wanted && !bfloat16
            ? await RunAsync(connection, wanted.Prompt, wanted.Tokens.Length, LogitsWanted.Generated, cancellation)
            : null;

        List<float[]> prefillRows = [.. prefills.SelectMany((p, i) => RowsOf(p, 0, golden.Prefill!.Sequences[i].Length))];
        List<float[]> decodeRows = decode is null ? [] : [.. RowsOf(decode, golden.Decode!.Prompt.Length - 1, decode.Tokens.Length)];
        var (shards, nodes) = await CountersAsync(connection, before, cancellation);
        return new VerificationReport(
            bfloat16,
            golden.Prefill is { } prefill ? LogitsComparison.Of(prefillRows, prefill.Logits, prefill.Width) : null,
            decode is null ? null : Compare(decode, golden.Decode!, decodeRows),
            shards, nodes, HashOf([.. prefillRows, .. decodeRows]));
    }

    private static Task<GenerationResult> RunAsync(
        ClusterConnection connection, ImmutableArray<int> prompt, int maxTokens, LogitsWanted logits, CancellationToken cancellation) =>
        connection.OpenSession(new GenerationRequest(GenerationRequest.Tokens(prompt), maxTokens)
        {
            Sampling = s_greedy,
            IgnoreEos = true,
            Logits = logits,
        }).ReadToEndAsync(cancellation);

    private static IEnumerable<float[]> RowsOf(GenerationResult result, int first, int count) =>
        Enumerable.Range(first, count).Select(p => result.Logits.TryGetValue(p, out var row)
            ? row
            : throw new InvalidDataException($"Verify: no logits of position {p} came. Run it again."));

    private static VerificationReport.DecodeResult Compare(GenerationResult decode, GoldenCase.DecodePart golden, List<float[]> rows)
    {
        var same = decode.Tokens.Zip(golden.Tokens).TakeWhile(pair => pair.First == pair.Second).Count();
        return new VerificationReport.DecodeResult(
            golden.Tokens.Length,
            same == golden.Tokens.Length && decode.Tokens.Length == same ? null : same,
            golden.Logits is { } logits ? LogitsComparison.Of(rows, logits, golden.Width) : null);
    }

    /// <summary>Nodes report once a second: waits for that, and further, bounded, while one seems to have done nothing.</summary>
    private static async Task<(ImmutableArray<VerificationReport.ShardRows>, ImmutableArray<VerificationReport.NodeBytes>)> CountersAsync(
        ClusterConnection connection, ClusterProtocol.Status before, CancellationToken cancellation)
    {
        var clock = System.Diagnostics.Stopwatch.StartNew();
        while (true)
        {
            var now = await connection.GetStatusAsync(s_answer, cancellation);
            var shards = now.Nodes.SelectMany(n => n.Shards.Select(s => new VerificationReport.ShardRows(
                    s.Placement.Shard, s.Placement.Replica, n.Name, s.RowsComputed - RowsBefore(before, n.Node, s))))
                .OrderBy(s => s.Shard).ThenBy(s => s.Replica).ToImmutableArray();
            var nodes = now.Nodes.Where(n => n.Roles is not [NodeOptions.Control]).Select(n => new VerificationReport.NodeBytes(
                n.Name, n.Counters.LaneBytesSent - (before.Nodes.FirstOrDefault(b => b.Node == n.Node)?.Counters.LaneBytesSent ?? 0)))
                .OrderBy(n => n.Name, StringComparer.Ordinal).ToImmutableArray();
            var allBusy = shards.All(s => s.Rows > 0) && (nodes.Length < 2 || nodes.All(n => n.LaneBytesSent > 0));
            if ((allBusy && clock.Elapsed > s_report) || clock.Elapsed > s_countersFor) return (shards, nodes);
            await Task.Delay(s_countersPoll, cancellation);
        }
    }

    private static long RowsBefore(ClusterProtocol.Status before, NodeId node, NodeProtocol.HeldShard shard) => before.Nodes
        .Where(n => n.Node == node).SelectMany(n => n.Shards)
        .FirstOrDefault(s => s.Placement.Shard == shard.Placement.Shard && s.Placement.Replica == shard.Placement.Replica
            && s.RouteEpoch == shard.RouteEpoch)?.RowsComputed ?? 0;

    private static string HashOf(IEnumerable<float[]> rows)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var row in rows) hash.AppendData(MemoryMarshal.AsBytes<float>(row));
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
