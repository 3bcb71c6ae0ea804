using ActorLlama.TestKit;
using ActorLlama.Text;

namespace ActorLlama.Cli.Tests;

public sealed class TokenizerTrainTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private string Out => _folder.PathOf("tokenizer.model");

    [Fact]
    public async Task A_tokenizer_is_learned_from_text_and_reads_it_back()
    {
        const string text = "The same words, the same words again and again; and then the same once more.\n";
        File.WriteAllText(_folder.PathOf("a.txt"), text);
        var ended = await InProcess.RunAsync(["tokenizer", "train", "--text", _folder.Path, "--size", "280", "--out", Out]);
        Assert.Equal((0, $"{Out}\n"), (ended.ExitCode, ended.Output));
        Assert.Contains("reading: 100 %\nmerging: 100 %\n280 entries, vocab_size 2328; the text has ", ended.Error, StringComparison.Ordinal);
        var tokenizer = LlamaTokenizer.Load(Out);
        Assert.Equal(text, tokenizer.Decode(tokenizer.Encode(text)));
        Assert.Equal([Out], Directory.GetFiles(_folder.Path, "tokenizer*"));

        var again = await InProcess.RunAsync(["tokenizer", "train", "--text", _folder.Path, "--size", "280", "--out", Out]);
        Assert.Equal(2, again.ExitCode);
        Assert.Contains("exists", again.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("255", "a.txt", 2, "--size is 255; it is at least 256")]
    [InlineData("300", "a.txt", 1, "gives 259 entries, but 300 are asked for")]
    [InlineData("300", "none.txt", 1, "does not exist")]
    public async Task What_cannot_be_done_is_said_and_leaves_nothing(string size, string text, int exitCode, string fault)
    {
        File.WriteAllText(_folder.PathOf("a.txt"), "abcd");
        var ended = await InProcess.RunAsync(["tokenizer", "train", "--text", _folder.PathOf(text), "--size", size, "--out", Out]);
        Assert.Equal(exitCode, ended.ExitCode);
        Assert.Contains(fault, ended.Error, StringComparison.Ordinal);
        Assert.Equal([_folder.PathOf("a.txt")], Directory.GetFiles(_folder.Path));
    }
}
