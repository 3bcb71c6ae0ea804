using System.Collections.Immutable;
using System.Text.Json;
using ActorLlama.TestKit;
using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;

namespace ActorLlama.Text.Tests;

public class AssistantParserTests
{
    [SharedFact]
    public void Every_output_parses_as_in_the_reference()
    {
        var lines = File.ReadLines(Shared.PathOf("fixtures", "tokenizer", "parse.jsonl")).Select(line => JsonDocument.Parse(line).RootElement).ToList();
        Assert.Equal(20, lines.Count);
        foreach (var line in lines)
        {
            var calls = line.GetProperty("tool_calls").EnumerateArray().Select(call => new ToolCall(call.GetProperty("name").GetString()!, PythonText.Json(call.GetProperty("arguments"))));
            var reason = line.GetProperty("stop_reason").GetString() switch
            {
                "end_of_turn" => StopReason.EndOfTurn,
                "end_of_message" => StopReason.EndOfMessage,
                _ => StopReason.OutOfTokens,
            };
            Assert.Equal(new AssistantOutput(line.GetProperty("content").GetString()!, reason, [.. calls]), AssistantParser.Parse(line.GetProperty("raw").GetString()!));
        }
    }

    [Theory]
    [InlineData("Let me check. [f(a=1)]<|eom|>", "Let me check. ", "f {\"a\": 1}")]
    [InlineData("Sure.{\"type\": \"function\", \"name\": \"f\", \"parameters\": {\"a\": {\"b\": [1]}}}", "Sure.", "f {\"a\": {\"b\": [1]}}")]
    [InlineData("Now <function=f>{\"a\": {\"b\": \"it's\"}}</function><|eot|>", "Now ", "f {\"a\": {\"b\": \"it's\"}}")]
    [InlineData("Now <function=f>{'a': True}</function>.", "Now .", "f {\"a\": true}")]
    [InlineData("I search: brave_search.call(query=\"cats\") ok", "I search:  ok", "brave_search {\"query\": \"cats\"}")]
    [InlineData("I run\n<|python_start|>print(1)\n<|python_end|><|eom|>", "I run\n", "code_interpreter {\"code\": \"print(1)\\n\"}")]
    [InlineData("[f(a=1), g(b=\"x\")]", "", "f {\"a\": 1}", "g {\"b\": \"x\"}")]
    [InlineData("[f()][g()]\n", "", "f {}", "g {}")]
    [InlineData("{\"name\": \"f\", \"parameters\": {}} {\"name\": \"g\", \"parameters\": {}}", "", "f {}", "g {}")]
    [InlineData("<|python_start|>[f(), g()]<|python_end|>", "", "f {}", "g {}")]
    [InlineData("{\"name\": \"code_interpreter\", \"parameters\": {\"source\": \"1\"}}", "", "code_interpreter {\"code\": \"1\"}")]
    [InlineData("[f(s='''a\n\"b\"''', t=(1, 2), u=(3), v=(4,), w={1: 'x', 'y': .5,}, x=0x1F, y=-1_000, z='\\u00e9\\x41\\101\\\n')]", "",
        "f {\"s\": \"a\\n\\\"b\\\"\", \"t\": [1, 2], \"u\": 3, \"v\": [4], \"w\": {\"1\": \"x\", \"y\": 0.5}, \"x\": 31, \"y\": -1000, \"z\": \"\\u00e9AA\"}")]
    public void Calls_are_found_behind_text_and_beside_each_other(string raw, string content, params string[] calls)
    {
        var parsed = AssistantParser.Parse(raw, firstCallOnly: false);
        Assert.Equal((content, string.Join('|', calls)), (parsed.Content, string.Join('|', parsed.ToolCalls.Select(call => $"{call.Name} {call.ArgumentsJson}"))));
    }

    [Theory]
    [InlineData("See [f(a=1)] for more.")]
    [InlineData("A list [1, 2] and [a link](http://x) and [unclosed(a=1")]
    [InlineData("{\"name\": \"f\", \"parameters\": {}} is how one calls.")]
    [InlineData("{\"name\": \"Bob\", \"age\": 3}")]
    [InlineData("{\"name\": \"f\", \"parameters\": [1]}")]
    [InlineData("void f() { return; } {\"a\": 1} {")]
    [InlineData("[f(1)]")]
    [InlineData("[f(a=b)]")]
    [InlineData("[f(a=1, a=2)]")]
    [InlineData("[a.b(c=1)]")]
    [InlineData("[f(a=007)]")]
    [InlineData("[f(a='\n')]")]
    [InlineData("[f(a='\\ud800')]")]
    [InlineData("[]")]
    [InlineData("<function=f>{oops}</function>")]
    [InlineData("<function=f>")]
    [InlineData("x.call(query=\"open")]
    [InlineData("<|eot|> is a token, <|eom|> too, <|eo")]
    [InlineData("a < b")]
    public void What_only_looks_like_a_call_stays_text(string raw)
    {
        Assert.Equal(new AssistantOutput(raw, StopReason.EndOfTurn, []), AssistantParser.Parse(raw + "<|eot|>"));
    }

    [Fact]
    public void Text_is_given_as_it_comes_and_a_call_when_it_is_complete()
    {
        var parser = new AssistantParser();
        Assert.Equal<AssistantEvent>([new AssistantEvent.Text("Let me")], parser.Push(" Let me "));
        Assert.Equal<AssistantEvent>([new AssistantEvent.Text(" check: ")], parser.Push("check: ["));
        Assert.Empty(parser.Push("f(a="));
        Assert.Empty(parser.Push("1)]<|eo"));
        Assert.Empty(parser.Push("m|>"));
        Assert.Equal<AssistantEvent>([new AssistantEvent.Call(new ToolCall("f", "{\"a\": 1}")), new AssistantEvent.End(StopReason.EndOfMessage)], parser.Finish());
        Assert.Throws<InvalidOperationException>(() => parser.Push("x"));
    }

    [Fact]
    public void A_json_answer_behind_text_is_not_held_back()
    {
        var parser = new AssistantParser();
        var given = string.Concat("Here: {\"answer\": [1,".Select(c => string.Concat(parser.Push(c.ToString()).OfType<AssistantEvent.Text>().Select(text => text.Value))));
        Assert.Equal("Here: {\"answer\": [1,", given);
    }

    [Property(MaxTest = 2000)]
    public Property Events_do_not_depend_on_how_the_output_is_cut()
    {
        var fragments = Gen.Elements(
            "Hello", " ", "  ", "\n", "[", "]", "{", "}", "f", "(a=1)", "[f(a=1)]", "[g(b='x', c=[1, {'k': None}])", "{\"name\": \"f\", \"parameters\": {\"q\": \"é😀\"}}", "{\"type\": \"fu",
            "{\"a\": 1}", "<function=", "foo>", "{\"x\": 1}", "</function>", "x.call(query=\"y\")", ".call(query=\"", "<|python_start|>", "<|python_end|>", "<|eot|>", "<|eom|>", "<|e",
            "<|header_start|>assistant<|header_end|>\n\n", "print(1)", ",", "\"", "'", "\\", "3.5");
        var texts = Gen.Choose(0, 7).SelectMany(count => fragments.ListOf(count)).Select(string.Concat);
        var sizes = Gen.Choose(1, 4).SelectMany(most => Gen.Choose(1, 3 * most).ArrayOf(40));
        return Prop.ForAll(texts.ToArbitrary(), sizes.ToArbitrary(), (raw, cuts) =>
        {
            foreach (var firstCallOnly in new[] { true, false })
            {
                var parser = new AssistantParser(firstCallOnly);
                var events = ImmutableArray.CreateBuilder<AssistantEvent>();
                for (int at = 0, cut = 0; at < raw.Length; at += cuts[cut % cuts.Length], cut++)
                    events.AddRange(parser.Push(raw.Substring(at, Math.Min(cuts[cut % cuts.Length], raw.Length - at))));
                events.AddRange(parser.Finish());
                var whole = new AssistantParser(firstCallOnly);
                if (!Joined(events).SequenceEqual(Joined(whole.Push(raw).AddRange(whole.Finish())))) return false.Label(raw);
            }
            return true.ToProperty();
        });
    }

    private static List<AssistantEvent> Joined(IEnumerable<AssistantEvent> events)
    {
        var joined = new List<AssistantEvent>();
        foreach (var next in events)
        {
            if (next is AssistantEvent.Text text && joined.LastOrDefault() is AssistantEvent.Text last) joined[^1] = new AssistantEvent.Text(last.Value + text.Value);
            else joined.Add(next);
        }
        return joined;
    }

    [Property(MaxTest = 500)]
    public Property A_call_that_was_written_reads_back_in_every_format()
    {
        return Prop.ForAll(Calls().ToArbitrary(), call =>
            Enum.GetValues<ToolPromptFormat>().All(format => AssistantParser.Parse("Well, " + ToolCallWriter.Write(call, format)).ToolCalls.SequenceEqual([call])));
    }

    private static Gen<ToolCall> Calls()
    {
        var texts = Gen.Elements("", "a", "it's", "\"q\"", "\\", "\n\r\t", "é😀", "\u0000", "]})", "<|eot|>x", "</function>", "null").ListOf().Select(parts => string.Concat(parts.Take(4)));
        var leaves = Gen.OneOf(texts.Select(text => JsonSerializer.Serialize(text)), Gen.Elements("1", "-2", "0.5", "1e300", "-1.5e-07", "12345678901234567890123", "true", "false", "null"));
        var values = Gen.OneOf(
            leaves, leaves.ListOf().Select(items => $"[{string.Join(",", items.Take(3))}]"),
            texts.Zip(leaves).ListOf().Select(members => $"{{{string.Join(",", members.DistinctBy(m => m.Item1).Take(3).Select(m => $"{JsonSerializer.Serialize(m.Item1)}:{m.Item2}"))}}}"));
        return Gen.Elements("f", "get_weather", "_g2").Zip(Gen.Elements("a", "query", "x1").Zip(values).ListOf()).Select(pair => new ToolCall(
            pair.Item1, PythonText.Json(JsonDocument.Parse($"{{{string.Join(",", pair.Item2.DistinctBy(m => m.Item1).Select(m => $"\"{m.Item1}\":{m.Item2}"))}}}").RootElement)));
    }
}
