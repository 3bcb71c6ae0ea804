using ActorLlama.TestKit;
using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;

namespace ActorLlama.Text.Tests;

public class StopRulesTests
{
    [Fact]
    public void Text_that_may_begin_a_stop_string_is_held_back_until_it_is_clear()
    {
        var rules = new StopRules([], ["END"]);
        var first = rules.Push("", "the E");
        Assert.Equal(new StopStep("the ", "E", null), first);
        Assert.Equal(new StopStep("", "EN", null), rules.Push(first.Held, "N"));
        Assert.Equal(new StopStep("EN", "E", null), rules.Push("EN", "E"));
        Assert.Equal(new StopStep("", "", "END"), rules.Push("EN", "D and more"));
    }

    [Fact]
    public void The_stop_string_complete_first_counts_and_of_two_complete_at_once_the_longer()
    {
        Assert.Equal(new StopStep("xa", "", "bc"), new StopRules([], ["abcd", "bc"]).Push("", "xabcd"));
        Assert.Equal(new StopStep("x", "", "abc"), new StopRules([], ["bc", "abc"]).Push("", "xabcd"));
    }

    [Fact]
    public void An_empty_stop_string_is_refused()
    {
        var error = Assert.Throws<InvalidDataException>(() => new StopRules([], ["a", ""]));
        Assert.Contains("at least one character", error.Message, StringComparison.Ordinal);
    }

    /// <summary>Over two letters stop strings overlap themselves and each other in every way.</summary>
    [Property(MaxTest = 2000)]
    public Property Streaming_equals_a_search_in_the_whole_text_however_it_is_cut()
    {
        var letters = (int from, int to) => Gen.Choose(from, to)
            .SelectMany(length => Gen.Elements('a', 'b').ArrayOf(length)).Select(chars => new string(chars));
        var stops = Gen.Choose(0, 3).SelectMany(count => letters(1, 5).ListOf(count));
        var cut = Gen.Choose(0, 12).SelectMany(count => letters(0, 4).ListOf(count));
        return Prop.ForAll(stops.ToArbitrary(), cut.ToArbitrary(), (strings, pieces) =>
        {
            var rules = new StopRules([], strings);
            var emitted = "";
            var held = "";
            string? stop = null;
            foreach (var piece in pieces)
            {
                var step = rules.Push(held, piece);
                emitted += step.Emit;
                (held, stop) = (step.Held, step.Stop);
                if (stop is not null) break;
            }
            return ((emitted + held, stop) == Search(string.Concat(pieces), strings)).ToProperty();
        });
    }

    private static (string Text, string? Stop) Search(string text, IEnumerable<string> stops)
    {
        for (var end = 0; end <= text.Length; end++)
        {
            var stop = stops.Where(s => text[..end].EndsWith(s, StringComparison.Ordinal)).MaxBy(s => s.Length);
            if (stop is not null) return (text[..(end - stop.Length)], stop);
        }
        return (text, null);
    }

    [SharedFact]
    public void A_stop_string_across_token_borders_ends_the_text_before_it()
    {
        var ids = Tokenizers.Full.Encode("Once upon a time.\nUser: hello");
        var text = new GeneratedText(Tokenizers.Full, new StopRules(Tokenizers.Full.EosIds, ["\nUser:"]));
        var emitted = "";
        foreach (var id in ids)
        {
            emitted += text.Push(id);
            Assert.DoesNotContain('\n', emitted);
            if (text.Stopped is not null) break;
        }
        Assert.Equal(("Once upon a time.", new StopCause.Text("\nUser:")), (emitted, text.Stopped));
        Assert.Throws<InvalidOperationException>(() => text.Push(ids[0]));
    }

    [SharedFact]
    public void A_stop_token_ends_the_text_and_what_was_held_back_is_given()
    {
        var text = new GeneratedText(Tokenizers.Bard, new StopRules(Tokenizers.Bard.EosIds, ["ab"]));
        Assert.Equal("", text.Push('a'));
        Assert.Equal("a", text.Push(2056));
        Assert.Equal(new StopCause.Token(2056), text.Stopped);
        Assert.Equal("", text.Finish());
    }

    [SharedFact]
    public void The_end_from_outside_gives_what_was_held_back()
    {
        var text = new GeneratedText(Tokenizers.Bard, new StopRules([], ["ab", "a\uFFFD"]));
        Assert.Equal(["", ""], [text.Push('a'), text.Push(0xE2)]);
        Assert.Equal("", text.Finish());
        Assert.Equal(new StopCause.Text("a\uFFFD"), text.Stopped);

        var plain = new GeneratedText(Tokenizers.Bard, new StopRules([], ["ab"]));
        Assert.Equal(["", "a\uFFFD"], [plain.Push('a'), plain.Push(0xE2) + plain.Finish()]);
        Assert.Equal(new StopCause.Finished(), plain.Stopped);
    }
}
