using System.Globalization;
using System.Net.Sockets;
using System.Text;
using System.Text.RegularExpressions;
using ActorLlama.Client;
using ActorLlama.Protocol;

namespace ActorLlama.Cli.Tests;

/// <summary>What real nodes show Prometheus and send to a collector while they serve.</summary>
[Collection(ClusterCollection.Name)]
public sealed partial class TelemetryTests(ClusterFixture cluster)
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(30);

    [Fact]
    public async Task Metrics_tell_what_was_decoded_where_and_over_which_lanes()
    {
        var before = await SumAsync("actorllama_tokens_total", "sampled");
        await DecodeAsync(16);
        var pages = await PagesAsync();
        Assert.True(await SumAsync("actorllama_tokens_total", "sampled") - before >= 15, string.Join('\n', pages));
        foreach (var metric in (string[])
            ["actorllama_batch_duration_seconds_bucket", "actorllama_expert_call_duration_seconds_count", "actorllama_session_token_gap_seconds_sum",
            "actorllama_lane_io_bytes_total", "actorllama_lane_credits", "actorllama_lane_connections", "actorllama_kv_usage_bytes", "actorllama_kv_blocks_limit",
            "actorllama_scheduler_sequences", "actorllama_session_active", "actorllama_device_time_seconds_total", "actorllama_plan_epoch",
            "actorllama_expert_shard_moves_total", "actorllama_cluster_state"])
            Assert.True(pages.Any(page => page.Contains(metric, StringComparison.Ordinal)), $"{metric} is missing: {pages[0]}");
        Assert.All(pages, page => Assert.Matches("""actorllama_cluster_state\{[^}]*actorllama_state="Ready"[^}]*\} 1""", page));
        Assert.True(await SumAsync("actorllama_lane_io_bytes_total", "transmit") > 0);
    }

    [Fact]
    public async Task A_collector_gets_the_spans_of_a_batch_its_layers_and_its_expert_calls()
    {
        await DecodeAsync(4);
        using var patience = new CancellationTokenSource(s_patience);
        while (!((string[])["batch", "layer", "expert call", "actorllama.expert.shard"]).All(name => cluster.TracesHave(Encoding.UTF8.GetBytes(name))))
            await Task.Delay(100, patience.Token);
    }

    [Fact]
    public async Task Garbage_and_silence_at_the_metrics_port_change_nothing()
    {
        List<TcpClient> hostile = [];
        for (var i = 0; i < 40; i++)
        {
            var client = new TcpClient();
            await client.ConnectAsync("127.0.0.1", cluster.PrometheusPort);
            if (i % 4 != 0) await client.GetStream().WriteAsync(i % 2 == 0 ? "GET /metrics HTT"u8.ToArray() : [22, 3, 1, 255, 255, 1, 0, 13, 10, 13, 10]);
            hostile.Add(client);
        }

        Assert.Contains("actorllama_plan_epoch", (await PagesAsync())[0], StringComparison.Ordinal);
        hostile.ForEach(client => client.Dispose());
        await DecodeAsync(2);
    }

    private async Task DecodeAsync(int tokens) => await cluster.Connection.OpenSession(
        new GenerationRequest(GenerationRequest.Tokens([5, 6, 7]), tokens) { Sampling = new SamplingOptions(0, 1, 0, 0), IgnoreEos = true }).ReadToEndAsync();

    private async Task<double> SumAsync(string metric, string tag) => (await PagesAsync())
        .SelectMany(page => page.Split('\n'))
        .Where(line => line.StartsWith(metric, StringComparison.Ordinal) && line.Contains($"\"{tag}\"", StringComparison.Ordinal))
        .Sum(line => double.Parse(Value().Match(line).Groups[1].Value, CultureInfo.InvariantCulture));

    private async Task<string[]> PagesAsync()
    {
        using var http = new HttpClient { Timeout = s_patience };
        // What is scraped twice within a moment is the same page.
        await Task.Delay(400);
        return await Task.WhenAll(Enumerable.Range(0, 3).Select(i => http.GetStringAsync(new Uri($"http://127.0.0.1:{cluster.PrometheusPort + i}/metrics"))));
    }

    [GeneratedRegex(@"\} ([0-9.eE+-]+)")]
    private static partial Regex Value();
}
