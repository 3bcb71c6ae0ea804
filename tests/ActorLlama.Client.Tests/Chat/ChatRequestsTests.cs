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
}
