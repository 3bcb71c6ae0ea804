using ActorLlama.Protocol;
using Microsoft.Extensions.AI;

namespace ActorLlama.Client.Tests;

public sealed class ChatRequestsTests
{
    private static readonly SamplingOptions s_defaults = new(0.6, 0.9, 0, 0);

    [Fact]
    public void Messages_and_instructions_become_a_dialog()
    {
        var request = ChatRequests.From(
            [new ChatMessage(ChatRole.User, "Hi"), new ChatMessage(ChatRole.Assistant, "Hello"), new ChatMessage(ChatRole.User, "Bye")],
            new ChatOptions { Instructions = "Be brief." }, s_defaults);
        Assert.Equal(
            [new ChatTurn("system", "Be brief."), new("user", "Hi"), new("assistant", "Hello"), new("user", "Bye")],
            request.Prompt.Dialog!.Value.ToArray());
    }

    [Fact]
    public void Options_win_over_the_models_defaults()
    {
        var request = ChatRequests.From(
            [new ChatMessage(ChatRole.User, "Hi")],
            new ChatOptions { Temperature = 0, TopK = 5, Seed = -1, MaxOutputTokens = 7, StopSequences = ["END"] }, s_defaults);
        Assert.Equal(new SamplingOptions(0, 0.9, 5, ulong.MaxValue), request.Sampling);
        Assert.Equal(7, request.MaxTokens);
        Assert.Equal(["END"], request.StopStrings.ToArray());
    }

    [Fact]
    public void Content_that_is_not_text_is_refused_by_name()
    {
        var image = new ChatMessage(ChatRole.User, [new DataContent(new byte[] { 1 }, "image/png")]);
        var fault = Assert.Throws<NotSupportedException>(() => ChatRequests.From([image], null, s_defaults));
        Assert.Contains("DataContent", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Calls_and_their_results_become_turns_of_their_own()
    {
        var request = ChatRequests.From(
            [
                new ChatMessage(ChatRole.Assistant,
                [
                    new TextContent("Both."), new FunctionCallContent("1", "f", new Dictionary<string, object?> { ["a"] = 1, ["b"] = "x" }),
                    new FunctionCallContent("2", "g"), new UsageContent(new UsageDetails()),
                ]),
                new ChatMessage(ChatRole.Tool, [new FunctionResultContent("1", "18 C"), new FunctionResultContent("2", new { Temp = 18 }), new FunctionResultContent("3", null)]),
            ],
            null, s_defaults);
        Assert.Equal(
            [new ChatTurn("assistant", "Both.", [new("f", "{\"a\":1,\"b\":\"x\"}"), new("g", "{}")]), new("tool", "18 C"), new("tool", "{\"temp\":18}"), new("tool", "null")],
            request.Prompt.Dialog!.Value.AsEnumerable());
        Assert.False(request.ShowSpecial);
    }

    [Fact]
    public void Functions_are_told_to_the_model_and_its_special_tokens_to_us()
    {
        var function = AIFunctionFactory.Create((string city) => city, "weather", "Weather of a city");
        var request = ChatRequests.From([new ChatMessage(ChatRole.User, "Hi")], new ChatOptions { Tools = [function] }, s_defaults);
        Assert.Equal([new ChatTool("weather", "Weather of a city", function.JsonSchema.GetRawText())], request.Prompt.Tools!.Value.AsEnumerable());
        Assert.True(request.ShowSpecial);
        var without = ChatRequests.From([new ChatMessage(ChatRole.User, "Hi")], new ChatOptions { Tools = [function], ToolMode = ChatToolMode.None }, s_defaults);
        Assert.Null(without.Prompt.Tools);
        Assert.False(without.ShowSpecial);
    }

    [Fact]
    public void What_no_model_can_promise_is_refused()
    {
        var function = AIFunctionFactory.Create((string city) => city, "weather");
        ChatMessage[] dialog = [new(ChatRole.User, "Hi")];
        Assert.Contains("required", Refused(new ChatOptions { Tools = [function], ToolMode = ChatToolMode.RequireAny }), StringComparison.Ordinal);
        Assert.Contains("HostedWebSearchTool", Refused(new ChatOptions { Tools = [new HostedWebSearchTool()] }), StringComparison.Ordinal);

        string Refused(ChatOptions options) => Assert.Throws<NotSupportedException>(() => ChatRequests.From(dialog, options, s_defaults)).Message;
    }

    [Fact]
    public void A_call_of_a_user_is_refused_by_role_and_name()
    {
        var message = new ChatMessage(ChatRole.User, [new FunctionCallContent("1", "f")]);
        var fault = Assert.Throws<NotSupportedException>(() => ChatRequests.From([message], null, s_defaults));
        Assert.Contains("\"user\" holds FunctionCallContent", fault.Message, StringComparison.Ordinal);
    }
}
