using System.Text.Json;
using ActorLlama.TestKit;

namespace ActorLlama.Text.Tests;

public class TokenizerGoldenTests
{
    private sealed record Case(int Line, string Text, int[] Ids, bool AllowSpecial, bool MetaSplit);

    private static IEnumerable<Case> Cases() => File.ReadLines(Shared.PathOf("fixtures", "tokenizer", "cases.jsonl")).Select((line, index) =>
    {
        var json = JsonDocument.Parse(line).RootElement;
        return new Case(
            index + 1, json.GetProperty("text").GetString()!, [.. json.GetProperty("ids").EnumerateArray().Select(id => id.GetInt32())],
            json.TryGetProperty("allow_special", out var allow) && allow.GetBoolean(), json.TryGetProperty("meta_split", out var split) && split.GetBoolean());
    });

    [SharedFact]
    public void Encoding_equals_the_reference_on_every_case()
    {
        var cases = Cases().ToList();
        Assert.Equal((301, 14, 3), (cases.Count, cases.Count(c => c.AllowSpecial), cases.Count(c => c.MetaSplit)));
        var different = cases.Where(c => !Tokenizers.Full.Encode(c.Text, c.AllowSpecial).SequenceEqual(c.Ids)).Select(c => c.Line);
        Assert.Empty(different);
    }

    [SharedFact]
    public void Decoding_the_reference_ids_gives_every_text_back()
    {
        var different = Cases().Where(c => Tokenizers.Full.Decode(c.Ids) != c.Text).Select(c => c.Line);
        Assert.Empty(different);
    }

    [SharedFact]
    public async Task Encoding_from_many_threads_at_once_equals_encoding_from_one()
    {
        var cases = Cases().Where(c => c.Text.Length < 3000).ToList();
        var different = new System.Collections.Concurrent.ConcurrentBag<int>();
        await Parallel.ForEachAsync(cases.Concat(cases).Concat(cases), new ParallelOptions { MaxDegreeOfParallelism = 8 }, (c, _) =>
        {
            if (!Tokenizers.Full.Encode(c.Text, c.AllowSpecial).SequenceEqual(c.Ids)) different.Add(c.Line);
            return ValueTask.CompletedTask;
        });
        Assert.Empty(different);
    }
}
