using System.Text;
using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;

namespace ActorLlama.Text.Tests;

public class TokenizerPropertyTests
{
    /// <summary>Any valid text; white space, case, digits, marks and supplementary characters often enough to meet each other.</summary>
    private static readonly Arbitrary<string> s_texts = Gen.Frequency(
            (6, Gen.Elements(" ", "\n", "\r", "\t", "/", "'", "s", "S", "ſ", "ll", "Re", "1", "٣", "é", "\u0301", "中", "ǅ", "ʰ", "\u00a0", "\u2028", "\u001c")),
            (2, Gen.Elements("𝐀", "𝟎", "😀", "𐐀", "𐐨", "𑚭", "<|", "|>", "<|eot|>", "<|begin_of_text|>", "eot")),
            (2, Gen.Choose(32, 126).Select(c => ((char)c).ToString())),
            (1, Gen.Choose(0, 0x10FFFF).Where(Rune.IsValid).Select(c => new Rune(c).ToString())))
        .ListOf().Select(string.Concat).ToArbitrary();

    [SharedProperty(MaxTest = 1000)]
    public Property Decoding_what_was_encoded_gives_the_text_back_with_the_full_vocabulary() => RoundTrips(Tokenizers.Full);

    [SharedProperty(MaxTest = 1000)]
    public Property Decoding_what_was_encoded_gives_the_text_back_with_the_small_vocabulary() => RoundTrips(Tokenizers.Bard);

    private static Property RoundTrips(LlamaTokenizer tokenizer) => Prop.ForAll(s_texts, text =>
    {
        var plain = tokenizer.Encode(text);
        return (tokenizer.Decode(plain) == text && plain.All(id => id < tokenizer.EntryCount)).Label("plain")
            .And((tokenizer.Decode(tokenizer.Encode(text, allowSpecial: true)) == text).Label("special"));
    });

    /// <summary>The same pattern as a .NET regex is right where every character is one UTF-16 unit and ſ does not occur (spec 5.1).</summary>
    [Property(MaxTest = 500)]
    public Property Pieces_equal_the_pattern_where_a_regex_can_express_it()
    {
        const string Pattern = @"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
            + @"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
            + @"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";
        var regex = new System.Text.RegularExpressions.Regex(Pattern, System.Text.RegularExpressions.RegexOptions.CultureInvariant);
        return Prop.ForAll(s_texts.Filter(text => !text.Any(c => char.IsSurrogate(c) || c == 'ſ')), text =>
        {
            var pieces = new PiecePreTokenizer().PreTokenize(text).Select(piece => text.Substring(piece.Offset, piece.Length));
            return pieces.SequenceEqual(regex.Matches(text).Select(match => match.Value)).ToProperty();
        });
    }

    [Fact]
    public void Long_texts_are_cut_at_blocks_and_long_runs_by_code_points()
    {
        Assert.Equal([25_000, 50_000, 50_002], LongRunSplitter.PartEnds(new string('a', 50_001) + " "));
        Assert.Equal([25_000, 25_001], LongRunSplitter.PartEnds(new string('\u001c', 25_001)));
        Assert.Equal([50_000, 50_002], LongRunSplitter.PartEnds(string.Concat(Enumerable.Repeat("😀", 25_001))));
        var words = string.Concat(Enumerable.Repeat("word ", 160_001));
        Assert.Equal([400_000, 800_000, 800_005], LongRunSplitter.PartEnds(words));
        Assert.Empty(LongRunSplitter.PartEnds(""));
    }
}
