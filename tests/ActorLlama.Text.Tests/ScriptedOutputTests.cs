using System.Collections.Immutable;
using System.Text;
using System.Text.Json;
using ActorLlama.TestKit;

namespace ActorLlama.Text.Tests;

/// <summary>The reference's outputs as streams of ids, through everything that stands between a sampled id and a tool call.</summary>
public class ScriptedOutputTests
{
    private static IEnumerable<string> Raws() =>
        File.ReadLines(Shared.PathOf("fixtures", "tokenizer", "parse.jsonl")).Select(line => JsonDocument.Parse(line).RootElement.GetProperty("raw").GetString()!);

    [SharedFact]
    public void A_stream_of_the_model_s_own_tokens_gives_what_the_whole_output_gives()
    {
        foreach (var raw in Raws()) Assert.Equal(AssistantParser.Parse(raw), OfIds(Tokenizers.Full.Encode(raw, allowSpecial: true), firstCallOnly: true));
    }

    /// <summary>Special tokens are one id each; all else is cut as finely as ids can cut it, through characters too.</summary>
    [SharedFact]
    public void A_stream_of_single_bytes_gives_what_the_whole_output_gives()
    {
        foreach (var raw in Raws()) Assert.Equal(AssistantParser.Parse(raw), OfIds(Bytes(raw), firstCallOnly: true));
    }

    [SharedFact]
    public void Cut_in_two_at_any_border_it_gives_what_the_whole_output_gives()
    {
        foreach (var raw in Raws())
        {
            var ids = Tokenizers.Full.Encode(raw, allowSpecial: true);
            for (var cut = 0; cut <= ids.Length; cut++)
            {
                var parser = new AssistantParser();
                var events = parser.Push(Tokenizers.Full.Decode(ids.AsSpan(0, cut))).AddRange(parser.Push(Tokenizers.Full.Decode(ids.AsSpan(cut)))).AddRange(parser.Finish());
                Assert.Equal(AssistantParser.Parse(raw), Whole(events));
            }
        }
    }

    [SharedFact]
    public void Calls_behind_prose_are_the_calls_without_it()
    {
        const string Prose = "Let me look: it's 3 < 4 (see [1]). ";
        var found = 0;
        foreach (var raw in Raws())
        {
            var alone = AssistantParser.Parse(raw.Trim(), firstCallOnly: false);
            if (alone.ToolCalls.IsEmpty || raw.Contains("<|header_start|>", StringComparison.Ordinal)) continue;
            found++;
            var behind = OfIds(Tokenizers.Full.Encode(Prose + raw.Trim(), allowSpecial: true), firstCallOnly: false);
            Assert.Equal(alone.ToolCalls.AsEnumerable(), behind.ToolCalls);
            Assert.Equal((Prose + alone.Content, alone.StopReason), (behind.Content, behind.StopReason));
        }
        Assert.InRange(found, 8, 20);
    }

    private static int[] Bytes(string raw)
    {
        var ids = new List<int>();
        foreach (var id in Tokenizers.Full.Encode(raw, allowSpecial: true))
            if (Tokenizers.Full.IsSpecial(id)) ids.Add(id);
            else ids.AddRange(Tokenizers.Full.TokenBytes(id).ToArray().Select(OfByte));
        return [.. ids];
    }

    private static int OfByte(byte value) => Enumerable.Range(0, 256).Single(id => Tokenizers.Full.TokenBytes(id) is [var only] && only == value);

    private static AssistantOutput OfIds(int[] ids, bool firstCallOnly)
    {
        var text = new GeneratedText(Tokenizers.Full, StopRules.None);
        var parser = new AssistantParser(firstCallOnly);
        var events = ImmutableArray.CreateBuilder<AssistantEvent>();
        foreach (var id in ids) events.AddRange(parser.Push(text.Push(id)));
        events.AddRange(parser.Push(text.Finish()));
        events.AddRange(parser.Finish());
        return Whole(events.ToImmutable());
    }

    private static AssistantOutput Whole(ImmutableArray<AssistantEvent> events) => new(
        events.OfType<AssistantEvent.Text>().Aggregate(new StringBuilder(), (all, text) => all.Append(text.Value)).ToString(),
        events.OfType<AssistantEvent.End>().Single().Reason,
        [.. events.OfType<AssistantEvent.Call>().Select(call => call.Value)]);
}
