using ActorLlama.Protocol;
using Microsoft.Extensions.AI;

namespace ActorLlama.Client.Tests;

/// <summary>The client against real remoting and a real receptionist, with a gate that loses, repeats and forgets.</summary>
public sealed class ClusterConnectionTests
{
    private static readonly TimeSpan s_connect = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan s_bound = TimeSpan.FromSeconds(40);

    [Fact]
    public async Task Tokens_arrive_once_and_in_order_though_messages_are_lost_and_repeated()
    {
        await using var cluster = await FakeCluster.StartAsync(1, new FakeGateActor.Faults(Lose: 0.3, Repeat: 0.3, Seed: 3, Tokens: 60));
        await using var connection = await ClusterConnection.ConnectAsync(cluster.AddressOf(0), s_connect);
        var (ids, result) = await ReadAsync(connection.OpenSession(Request())).WaitAsync(s_bound);
        Assert.Equal(Enumerable.Range(1000, 60), ids);
        Assert.Equal(ids, result.Tokens.ToArray());
        Assert.Equal(string.Concat(ids.Select(i => $"{i} ")), result.Text);
    }

    [Fact]
    public async Task A_session_whose_node_forgot_it_goes_on_at_the_same_index()
    {
        await using var cluster = await FakeCluster.StartAsync(1, new FakeGateActor.Faults(0.1, 0.1, Seed: 5, Tokens: 40, ForgetAt: 15));
        await using var connection = await ClusterConnection.ConnectAsync(cluster.AddressOf(0), s_connect);
        var (ids, _) = await ReadAsync(connection.OpenSession(Request())).WaitAsync(s_bound);
        Assert.Equal(Enumerable.Range(1000, 40), ids);
    }

    [Fact]
    public async Task A_stream_goes_on_through_another_node_when_its_contact_dies()
    {
        await using var cluster = await FakeCluster.StartAsync(2, new FakeGateActor.Faults(0, 0, Seed: 1, Tokens: 400));
        await using var connection = await ClusterConnection.ConnectAsync(cluster.AddressOf(1), s_connect);
        var stream = connection.OpenSession(Request());
        var ids = new List<int>();
        Task? killed = null;
        await foreach (var token in stream)
        {
            ids.Add(token.Id);
            if (ids.Count == 20) killed = cluster.KillAsync(1);
        }

        await killed!;
        Assert.Equal(Enumerable.Range(1000, 400), ids);
    }

    [Fact]
    public async Task Leaving_the_loop_cancels_the_session()
    {
        await using var cluster = await FakeCluster.StartAsync(1, new FakeGateActor.Faults(0, 0, Seed: 1, Tokens: 100_000));
        await using var connection = await ClusterConnection.ConnectAsync(cluster.AddressOf(0), s_connect);
        var stream = connection.OpenSession(Request());
        await foreach (var token in stream)
            if (token.Index == 3) break;
        Assert.Equal(FinishReason.Cancelled, (await stream.Completion.WaitAsync(s_bound)).Reason);
    }

    [Fact]
    public async Task The_chat_client_streams_and_reports_usage()
    {
        await using var cluster = await FakeCluster.StartAsync(1, new FakeGateActor.Faults(0, 0, Seed: 1, Tokens: 5));
        using var client = new ClusterChatClient(await ClusterConnection.ConnectAsync(cluster.AddressOf(0), s_connect), FakeCluster.Model);
        var whole = await client.GetResponseAsync([new ChatMessage(ChatRole.User, "Hi")]).WaitAsync(s_bound);
        Assert.Equal("1000 1001 1002 1003 1004 ", whole.Text);
        Assert.Equal(ChatFinishReason.Length, whole.FinishReason);
        Assert.Equal(5, whole.Usage!.OutputTokenCount);
        var parts = await client.GetStreamingResponseAsync([new ChatMessage(ChatRole.User, "Hi")]).ToChatResponseAsync().WaitAsync(s_bound);
        Assert.Equal(whole.Text, parts.Text);
        Assert.Equal(5, parts.Usage!.OutputTokenCount);
    }

    /// <summary>A dialog of three requests, run by the library's own loop: a call behind prose, cut at every character, its result, the answer.</summary>
    [Fact]
    public async Task The_chat_client_streams_calls_of_functions_and_takes_their_results()
    {
        var prompts = new List<Prompt>();
        await using var cluster = await FakeCluster.StartAsync(1, new FakeGateActor.Faults(0.1, 0.1, Seed: 2, Tokens: 0, Script: prompt =>
        {
            lock (prompts) if (!prompts.Contains(prompt)) prompts.Add(prompt);
            return [.. prompt.Dialog!.Value[^1].Role == "tool" ? ["It is 18 °C", "."] : "Let me see. [weather(city=\"Zürich\", days=2)]".Select(c => $"{c}"), "<|eom|>"];
        }));
        using var client = new ClusterChatClient(await ClusterConnection.ConnectAsync(cluster.AddressOf(0), s_connect), FakeCluster.Model);
        var options = new ChatOptions { Tools = [AIFunctionFactory.Create((string city, int days) => $"18 °C in {city} for {days} days", "weather")] };
        List<ChatMessage> dialog = [new(ChatRole.User, "Weather?")];
        var updates = await client.GetStreamingResponseAsync(dialog, options).ToListAsync().AsTask().WaitAsync(s_bound);
        Assert.Equal("Let me see. ", string.Concat(updates.Select(u => u.Text)));
        Assert.True(updates.Count(u => u.Text.Length > 0) > 3, "the prose came in one piece");
        Assert.Equal(ChatFinishReason.ToolCalls, updates[^1].FinishReason);
        var call = updates.SelectMany(u => u.Contents).OfType<FunctionCallContent>().Single();
        var result = await ((AIFunction)options.Tools[0]).InvokeAsync(new AIFunctionArguments(call.Arguments));
        dialog.AddRange(updates.ToChatResponse().Messages);
        dialog.Add(new ChatMessage(ChatRole.Tool, [new FunctionResultContent(call.CallId, result)]));
        var answer = await client.GetResponseAsync(dialog, options).WaitAsync(s_bound);
        Assert.Equal(("It is 18 °C.", ChatFinishReason.Stop), (answer.Text, answer.FinishReason));
        Assert.Equal("weather", prompts[^1].Tools!.Value.Single().Name);
        Assert.Equal(
            [
                new("user", "Weather?"), new ChatTurn("assistant", "Let me see. ", [new ChatCall("weather", "{\"city\":\"Zürich\",\"days\":2}")]),
                new("tool", "18 °C in Zürich for 2 days"),
            ],
            prompts[^1].Dialog!.Value.AsEnumerable());
    }

    [Fact]
    public async Task An_address_where_nothing_listens_is_told_within_the_time_given()
    {
        var fault = await Assert.ThrowsAsync<ClusterUnreachableException>(
            () => ClusterConnection.ConnectAsync("127.0.0.1:1", TimeSpan.FromSeconds(1)));
        Assert.Contains("127.0.0.1:1", fault.Message, StringComparison.Ordinal);
        Assert.Contains("1 s", fault.Message, StringComparison.Ordinal);
    }

    private static GenerationRequest Request() => new(GenerationRequest.Tokens([1, 2, 3]), int.MaxValue);

    private static async Task<(List<int> Ids, GenerationResult Result)> ReadAsync(GenerationStream stream)
    {
        var ids = new List<int>();
        await foreach (var token in stream) ids.Add(token.Id);
        return (ids, await stream.Completion);
    }
}
