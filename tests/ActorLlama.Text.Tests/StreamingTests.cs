using System.Text;
using ActorLlama.TestKit;
using FsCheck;
using FsCheck.Fluent;

namespace ActorLlama.Text.Tests;

public class StreamingTests
{
    private static readonly int[] s_smile = [51358, 222]; // " 😀" in two tokens that cut the character

    [SharedFact]
    public void A_character_cut_by_a_token_border_appears_only_when_it_is_complete()
    {
        Assert.Equal(" 😀", Tokenizers.Full.Decode(s_smile));
        var stream = new StreamingDetokenizer(Tokenizers.Full);
        Assert.Equal([" ", "😀", ""], [stream.Push(s_smile[0]), stream.Push(s_smile[1]), stream.Flush()]);
    }

    [SharedFact]
    public void A_character_that_never_completes_becomes_the_replacement_character_at_the_end()
    {
        var stream = new StreamingDetokenizer(Tokenizers.Full);
        Assert.Equal([" ", "\uFFFD", ""], [stream.Push(s_smile[0]), stream.Flush(), stream.Flush()]);
    }

    [SharedFact]
    public void Special_tokens_are_spelled_or_left_out_as_asked()
    {
        var eot = Tokenizers.Bard.SpecialId(SpecialTokens.EndOfTurn);
        Assert.Equal("<|eot|>", new StreamingDetokenizer(Tokenizers.Bard).Push(eot));
        Assert.Equal("", new StreamingDetokenizer(Tokenizers.Bard, skipSpecial: true).Push(eot));
    }

    /// <summary>Any ids, most of them single bytes, so that broken sequences of every form occur.</summary>
    [SharedProperty(MaxTest = 500)]
    public Property Streaming_equals_decoding_the_whole()
    {
        var id = Gen.Frequency((3, Gen.Choose(0, 255)), (3, Gen.Choose(0xC0 - 1, 255)), (2, Gen.Choose(0, 2047)), (1, Gen.Choose(2048, 2100)));
        return Prop.ForAll(id.ArrayOf().ToArbitrary(), ids =>
        {
            var stream = new StreamingDetokenizer(Tokenizers.Bard);
            var pieces = ids.Select(stream.Push).ToList();
            var text = string.Concat(pieces) + stream.Flush();
            return (text == Tokenizers.Bard.Decode(ids)).Label("whole").And(pieces.All(IsWholeText).Label("pieces"));
        });
    }

    private static bool IsWholeText(string text)
    {
        var strict = new UnicodeEncoding(bigEndian: false, byteOrderMark: false, throwOnInvalidBytes: true);
        return strict.GetByteCount(text) == 2 * text.Length;
    }
}
