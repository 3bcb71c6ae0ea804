using System.Text;
using ActorLlama.TestKit;

namespace ActorLlama.Text.Tests;

public sealed class TokenizerFileTests : IDisposable
{
    private readonly string _path = Path.GetTempFileName();

    public void Dispose() => File.Delete(_path);

    private static List<string> Bytes() => [.. Enumerable.Range(0, 256).Select(value => $"{Convert.ToBase64String([(byte)value])} {value}")];

    private LlamaTokenizer Load(IEnumerable<string> lines, TokenizerOptions? options = null)
    {
        File.WriteAllText(_path, string.Join('\n', lines));
        return LlamaTokenizer.Load(_path, options);
    }

    private string Refusal(IEnumerable<string> lines, TokenizerOptions? options = null)
    {
        var message = Assert.Throws<InvalidDataException>(() => Load(lines, options)).Message;
        Assert.Contains(_path, message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', message);
        return message;
    }

    [Fact]
    public void A_vocabulary_of_bytes_and_one_merge_encodes_by_rank()
    {
        var tokenizer = Load([.. Bytes(), $"{Convert.ToBase64String("ab"u8)} 256", ""]);
        Assert.Equal([256, 'c', 256], tokenizer.Encode("abcab"));
        Assert.Equal((257, 257 + 2048, 257, 257 + 18), (tokenizer.EntryCount, tokenizer.VocabularySize, tokenizer.BosId, tokenizer.PadId));
        Assert.Equal<int>([258, 264, 265], tokenizer.EosIds);
        Assert.Equal("<|reserved_special_token_903|>", tokenizer.Decode(257 + 2047));
    }

    [Theory]
    [InlineData(100, "!!!! 100", "line 101 has token \"!!!!\"")]
    [InlineData(100, "ZA== hundred", "line 101 has rank \"hundred\"")]
    [InlineData(100, "ZA== 100\r", "line 101 has rank \"100\\u000D\"")]
    [InlineData(100, "ZA== 101", "line 101 has rank 101, not 100")]
    [InlineData(100, "ZA==", "line 101 is \"ZA==\"")]
    [InlineData(100, "", "line 101 is \"\"")]
    [InlineData(100, "YQ== 100", "line 101 repeats the token of line 98")]
    [InlineData(100, "ZGQ= 100", "no line holds the single byte 0x64")]
    public void A_broken_line_is_named_with_what_was_found(int index, string line, string found)
    {
        var lines = Bytes();
        lines[index] = line;
        Assert.Contains(found, Refusal(lines), StringComparison.Ordinal);
    }

    [Fact]
    public void An_empty_file_a_missing_one_and_a_web_page_are_refused()
    {
        Assert.Contains("the file is empty", Refusal([]), StringComparison.Ordinal);
        Assert.Contains("<!DOCTYPE", Refusal(["<!DOCTYPE html>", "<html>"]), StringComparison.Ordinal);
        var missing = Assert.Throws<FileNotFoundException>(() => LlamaTokenizer.Load(_path + ".none"));
        Assert.Contains($"\"{_path}.none\" does not exist", missing.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_config_that_disagrees_is_refused_with_both_values()
    {
        Assert.Contains("ids up to 255, but vocab_size is 200", Refusal(Bytes(), new TokenizerOptions(VocabularySize: 200)), StringComparison.Ordinal);
        Assert.Contains("id 256, but vocab_size is 256", Refusal(Bytes(), new TokenizerOptions(VocabularySize: 256)), StringComparison.Ordinal);
        Assert.Contains("bos_token_id is 257, but <|begin_of_text|> has id 256", Refusal(Bytes(), new TokenizerOptions(BosId: 257)), StringComparison.Ordinal);
        Assert.Contains("eos_token_id has 300, but the terminators are 257, 263, 264", Refusal(Bytes(), new TokenizerOptions(EosIds: [257, 300])), StringComparison.Ordinal);
        Assert.Contains("eos_token_id has 264", Refusal(Bytes(), new TokenizerOptions(VocabularySize: 260, EosIds: [264])), StringComparison.Ordinal);
        Assert.Contains("pad_token_id is 5000, but vocab_size is 2304", Refusal(Bytes(), new TokenizerOptions(PadId: 5000)), StringComparison.Ordinal);
    }

    [Fact]
    public void What_the_config_says_wins_where_the_file_leaves_a_choice()
    {
        var tokenizer = Load(Bytes(), new TokenizerOptions(VocabularySize: 5000, BosId: 256, EosIds: [264], PadId: 999));
        Assert.Equal((5000, 256, 999), (tokenizer.VocabularySize, tokenizer.BosId, tokenizer.PadId));
        Assert.Equal<int>([264], tokenizer.EosIds);
        Assert.Equal("ab", tokenizer.Decode('a', 4999, 'b'));
        Assert.Throws<ArgumentOutOfRangeException>(() => tokenizer.Decode(5000));
        Assert.Throws<ArgumentOutOfRangeException>(() => tokenizer.Decode(-1));
    }

    [Fact]
    public void Special_tokens_at_or_above_the_vocabulary_do_not_exist()
    {
        var tokenizer = Load(Bytes(), new TokenizerOptions(VocabularySize: 264));
        Assert.True(tokenizer.TryGetSpecial(SpecialTokens.EndOfMessage, out var eom));
        Assert.Equal(263, eom);
        Assert.False(tokenizer.TryGetSpecial(SpecialTokens.EndOfTurn, out _));
        Assert.Equal<int>([257, 263], tokenizer.EosIds);
        Assert.Null(tokenizer.PadId);
        Assert.Equal(Encoding.ASCII.GetBytes("<|eot|>").Select(b => (int)b), tokenizer.Encode("<|eot|>", allowSpecial: true));
        Assert.Equal([263], tokenizer.Encode("<|eom|>", allowSpecial: true));
    }

    [Fact]
    public void Half_a_surrogate_pair_encodes_as_the_replacement_character()
    {
        Assert.Equal(Load(Bytes()).Encode("a\uFFFDb"), Load(Bytes()).Encode("a\uD800b"));
    }

    [SharedFact]
    public void The_published_file_has_the_published_ids()
    {
        Assert.Equal((200_000, 202_048), (Tokenizers.Full.EntryCount, Tokenizers.Full.VocabularySize));
        Assert.Equal((200000, 200018), (Tokenizers.Full.BosId, Tokenizers.Full.PadId));
        Assert.Equal<int>([200001, 200007, 200008], Tokenizers.Full.EosIds);
        Assert.Equal((200080, 200081, 200084, 200085, 200090, 200092), (
            Tokenizers.Full.SpecialId(SpecialTokens.ImageStart), Tokenizers.Full.SpecialId(SpecialTokens.ImageEnd),
            Tokenizers.Full.SpecialId(SpecialTokens.TileXSeparator), Tokenizers.Full.SpecialId(SpecialTokens.TileYSeparator),
            Tokenizers.Full.SpecialId(SpecialTokens.Image), Tokenizers.Full.SpecialId(SpecialTokens.Patch)));
        Assert.Equal((201133, 201142, 201144, 202047), (
            Tokenizers.Full.SpecialId("<|vision_reserved_special_token_1047|>"), Tokenizers.Full.SpecialId("<|reasoning_thinking_start|>"),
            Tokenizers.Full.SpecialId("<|reserved_special_token_0|>"), Tokenizers.Full.SpecialId("<|reserved_special_token_903|>")));
        Assert.False(Tokenizers.Full.TryGetSpecial("<|text_post_train_reserved_special_token_6|>", out _));
    }
}
