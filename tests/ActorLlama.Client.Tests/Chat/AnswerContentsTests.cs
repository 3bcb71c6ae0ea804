using System.Collections.Immutable;
using System.Text.Json;
using ActorLlama.Protocol;
using ActorLlama.TestKit;
using ActorLlama.Text;
using Microsoft.Extensions.AI;

namespace ActorLlama.Client.Tests;

public sealed class AnswerContentsTests
{
    /// <summary>Every output of the reference, character by character: the contents hold its text and its calls.</summary>
    [SharedFact]
    public void Outputs_of_the_reference_become_text_and_function_calls()
    {
        foreach (var line in File.ReadLines(Shared.PathOf("fixtures", "tokenizer", "parse.jsonl")))
        {
            var raw = JsonDocument.Parse(line).RootElement.GetProperty("raw").GetString()!;
            var expected = AssistantParser.Parse(raw, firstCallOnly: false);
            var answer = new AnswerContents(new SessionId("s"), withTools: true);
            List<AIContent> contents = [.. raw.SelectMany(c => answer.Push($"{c}")), .. answer.Finish(Result(FinishReason.Stop))];
            Assert.Equal(expected.Content, string.Concat(contents.OfType<TextContent>().Select(c => c.Text)));
            var calls = contents.OfType<FunctionCallContent>().ToList();
            Assert.Equal(expected.ToolCalls.Select(c => c.Name), calls.Select(c => c.Name));
            Assert.Equal(Enumerable.Range(1, calls.Count).Select(i => $"s-{i}"), calls.Select(c => c.CallId));
            Assert.All(expected.ToolCalls.Zip(calls), pair => Assert.True(JsonElement.DeepEquals(
                JsonDocument.Parse(pair.First.ArgumentsJson).RootElement, JsonSerializer.SerializeToElement(pair.Second.Arguments))));
            Assert.Equal(calls.Count > 0 ? ChatFinishReason.ToolCalls : ChatFinishReason.Stop, answer.FinishReason);
        }
    }

    [Fact]
    public void Without_tools_what_looks_like_a_call_is_text()
    {
        var answer = new AnswerContents(new SessionId("s"), withTools: false);
        Assert.Equal("[f(a=1)]", Assert.IsType<TextContent>(Assert.Single(answer.Push("[f(a=1)]"))).Text);
        Assert.Empty(answer.Push(""));
        Assert.Equal("tail", Assert.IsType<TextContent>(Assert.Single(answer.Finish(Result(FinishReason.Length, "tail")))).Text);
        Assert.Equal(ChatFinishReason.Length, answer.FinishReason);
    }

    [Fact]
    public void A_call_that_was_cut_off_stays_text_and_the_end_says_why()
    {
        var answer = new AnswerContents(new SessionId("s"), withTools: true);
        Assert.Equal("Well, ", Assert.IsType<TextContent>(Assert.Single(answer.Push("Well, [f(a="))).Text);
        Assert.Equal("[f(a=1", Assert.IsType<TextContent>(Assert.Single(answer.Finish(Result(FinishReason.Expired, "1")))).Text);
        Assert.Equal(ChatFinishReason.Length, answer.FinishReason);
    }

    private static GenerationResult Result(FinishReason reason, string tail = "") =>
        new([], [], "", tail, reason, new SessionProtocol.Timings(0, 0), ImmutableSortedDictionary<int, float[]>.Empty);
}
