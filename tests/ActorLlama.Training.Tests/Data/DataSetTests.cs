using ActorLlama.TestKit;
using ActorLlama.Text;
using ActorLlama.Training.Data;

namespace ActorLlama.Training.Tests.Data;

public sealed class DataSetTests : IDisposable
{
    private static readonly string s_tokenizer = Path.Combine(Shared.RepositoryRoot, "models", "bard", "tokenizer.model");
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Synthetic_data_is_one_batch_of_whole_windows()
    {
        var data = DataSet.Open(Settings with { Type = "synthetic" }).Training;
        var batch = data.Batch(0);
        Assert.Equal((4, 8, 32), (data.Slots, data.Length, batch.TotalWeights));
        Assert.Equal(batch.Inputs.AsEnumerable(), data.Batch(1000).Inputs);
        foreach (var row in Enumerable.Range(0, 4))
        {
            Assert.Equal(batch.Inputs.Skip(row * 8 + 1).Take(7), batch.Targets.Skip(row * 8).Take(7));
            Assert.Equal(Enumerable.Range(0, 8), batch.Positions.Skip(row * 8).Take(8));
        }
        Assert.All(batch.Segmentation, segment => Assert.Equal(1, segment));
        var many = new SyntheticData(100, 100, 10).Batch(0).Inputs;
        Assert.All(Enumerable.Range(0, 10), id => Assert.InRange(many.Count(found => found == id), 850, 1150));
        Assert.Equal(10, many.Distinct().Count());
    }

    [Fact]
    public void Documents_begin_and_end_with_their_special_tokens_and_the_end_of_the_text_is_held_out()
    {
        File.WriteAllText(_folder.PathOf("a.txt"), "ROMEO: hi\n");
        File.WriteAllText(_folder.PathOf("b.txt"), "0123456789");
        var data = DataSet.Open(Settings with { Path = $"{_folder.PathOf("a.txt")}, {_folder.PathOf("b.txt")}", HeldOutFraction = 0.2 });
        var tokenizer = data.Tokenizer!;
        var text = ((TextData)data.Training).Text;
        Assert.Equal("<|begin_of_text|>ROMEO: hi\n<|end_of_text|><|begin_of_text|>012345<|end_of_text|>", Decoded(text));
        Assert.Equal("<|begin_of_text|>6789<|end_of_text|>", Decoded(data.HeldOut!.Text));
        Assert.Equal((16, 4), (text.TextBytes, data.HeldOut.Text.TextBytes));
        Assert.Equal(2, text.Starts.Count);
        Assert.Equal(text.Ids.Count - 2, text.Targets);

        string Decoded(TokenizedText of) => tokenizer.Decode([.. Enumerable.Range(0, (int)of.Ids.Count).Select(i => of.Ids[i])]);
    }

    [SharedFact]
    public void A_long_text_is_read_in_blocks_as_if_it_were_read_whole()
    {
        var file = Shared.PathOf("data", "shakespeare.txt");
        var data = DataSet.Open(Settings with { Path = file });
        Assert.Null(data.HeldOut);
        var ids = ((TextData)data.Training).Text.Ids;
        // Speech by speech: encoded at once, a text of this length would be cut at its 400,000th character.
        var speeches = System.Text.RegularExpressions.Regex.Split(File.ReadAllText(file), @"(?<=\n\n)(?=[A-Za-z])");
        Assert.Equal(
            [data.Tokenizer!.BosId, .. speeches.SelectMany(speech => data.Tokenizer.Encode(speech)), data.Tokenizer.SpecialId(SpecialTokens.EndOfText)],
            Enumerable.Range(0, (int)ids.Count).Select(i => ids[i]));
    }

    [Theory]
    [InlineData("tfds", "x", "t", 0, "dataset_type is \"tfds\"; it is synthetic, or text")]
    [InlineData("text", "", "t", 0, "needs dataset_path")]
    [InlineData("text", "x", "", 0, "needs tokenizer_path")]
    [InlineData("text", "x", "t", 1, "held_out_fraction is 1; it is at least 0 and below 1")]
    [InlineData("text", "x", "t", 0, "\"t\" does not exist")]
    public void What_is_missing_is_named(string type, string path, string tokenizer, double heldOut, string fault)
    {
        var settings = Settings with { Type = type, Path = path, Tokenizer = tokenizer, HeldOutFraction = heldOut };
        Assert.Contains(fault, Assert.ThrowsAny<Exception>(() => DataSet.Open(settings)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_tokenizer_for_another_vocabulary_and_a_text_without_tokens_are_errors()
    {
        File.WriteAllText(_folder.PathOf("a.txt"), "a");
        var settings = Settings with { Path = _folder.Path };
        Assert.Contains("vocab_size is 2000", Assert.Throws<InvalidDataException>(() => DataSet.Open(settings with { Tokens = new TokenizerOptions(2000) })).Message, StringComparison.Ordinal);
        // Of 2049 ids the last begins a text, and none ends it.
        File.WriteAllText(_folder.PathOf("b.jsonl"), "{\"text\":\"\"}");
        settings = settings with { Path = _folder.PathOf("b.jsonl"), Tokens = new TokenizerOptions(2049) };
        Assert.Contains("no token to predict", Assert.Throws<InvalidDataException>(() => DataSet.Open(settings)).Message, StringComparison.Ordinal);
    }

    private static DataSettings Settings => new() { Type = "text", Tokenizer = s_tokenizer, Slots = 4, Length = 8, Tokens = new TokenizerOptions(4096) };
}
