using System.Collections.Immutable;
using ActorLlama.TestKit;

namespace ActorLlama.Cli.Tests;

public sealed class AnswerFileTests : IDisposable
{
    private static readonly ImmutableArray<FilePrompt> s_prompts = [new(1, "one"), new(2, "zwölf"), new(4, "four")];
    private readonly TemporaryFolder _folder = new();

    private string Out => _folder.PathOf("o.jsonl");

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Answers_are_found_again_whatever_their_order()
    {
        using (var file = AnswerFile.Open(Out, s_prompts))
        {
            Assert.Empty(file.Answered);
            file.Add(new { line = 4, prompt = "four", text = "b" });
            file.Add(new { line = 2, prompt = "zwölf", text = "a\nb" });
        }

        Assert.Equal(2, File.ReadAllLines(Out).Length);
        using var again = AnswerFile.Open(Out, s_prompts);
        Assert.Equal([2, 4], again.Answered.Order());
    }

    /// <summary>Whatever of the last line a killed run left, it goes, and what is added stands on a line of its own.</summary>
    [Fact]
    public void A_torn_last_line_is_dropped_at_every_place_it_can_be_torn()
    {
        using (var file = AnswerFile.Open(Out, s_prompts))
        {
            file.Add(new { line = 2, prompt = "zwölf", text = "a" });
            file.Add(new { line = 1, prompt = "one", text = "é" });
        }

        var whole = File.ReadAllBytes(Out);
        var first = Array.IndexOf(whole, (byte)'\n') + 1;
        for (var length = first; length < whole.Length; length++)
        {
            File.WriteAllBytes(Out, whole[..length]);
            using (var file = AnswerFile.Open(Out, s_prompts))
            {
                Assert.Equal([2], file.Answered);
                file.Add(new { line = 1, prompt = "one", text = "é" });
            }

            Assert.Equal(whole, File.ReadAllBytes(Out));
        }
    }

    [Theory]
    [InlineData("{\"line\":1,\"prompt\":\"other\"}")]
    [InlineData("{\"line\":3,\"prompt\":\"one\"}")]
    [InlineData("{\"prompt\":\"one\"}")]
    [InlineData("{\"line\":\"1\",\"prompt\":\"one\"}")]
    [InlineData("[1]")]
    [InlineData("plain text")]
    [InlineData("{\"line\":1,\"prompt\":\"\\ud800\"}")]
    public void A_file_of_anything_else_is_left_as_it_is_and_told_with_its_line(string line)
    {
        var text = $"{{\"line\":2,\"prompt\":\"zwölf\"}}\n{line}\ntorn";
        File.WriteAllText(Out, text);
        var fault = Assert.Throws<InvalidDataException>(() => AnswerFile.Open(Out, s_prompts));
        Assert.Contains("line 2 of", fault.Message, StringComparison.Ordinal);
        Assert.Equal(text, File.ReadAllText(Out));
    }

    [Fact]
    public void A_second_run_into_the_same_file_is_refused()
    {
        using var first = AnswerFile.Open(Out, s_prompts);
        Assert.Throws<IOException>(() => AnswerFile.Open(Out, s_prompts));
    }

    [Theory]
    [InlineData("p.txt", "a\n\n  b \nc", "1:a 3:  b  4:c")]
    [InlineData("p.jsonl", "{\"prompt\":\"a\\nb\",\"id\":7}\n\n{\"prompt\":\"c\"}\n", "1:a\nb 3:c")]
    public void Prompts_are_the_lines_of_a_file(string name, string text, string expected)
    {
        File.WriteAllText(_folder.PathOf(name), text);
        Assert.Equal(expected, string.Join(' ', PromptFile.Read(_folder.PathOf(name)).Select(prompt => $"{prompt.Number}:{prompt.Text}")));
    }

    [Theory]
    [InlineData("p.txt", " \n\n", "holds none")]
    [InlineData("p.jsonl", "{\"prompt\":\"a\"}\n{\"text\":\"b\"}", "line 2 of")]
    [InlineData("p.jsonl", "{\"prompt\":\"\"}", "line 1 of")]
    [InlineData("p.jsonl", "{\"prompt\":7}", "line 1 of")]
    [InlineData("p.jsonl", "a", "line 1 of")]
    public void A_file_without_prompts_is_told_with_the_line_that_is_none(string name, string text, string part)
    {
        File.WriteAllText(_folder.PathOf(name), text);
        Assert.Contains(part, Assert.Throws<InvalidDataException>(() => PromptFile.Read(_folder.PathOf(name))).Message, StringComparison.Ordinal);
    }
}
