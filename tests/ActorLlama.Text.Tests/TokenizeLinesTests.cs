using ActorLlama.TestKit;

namespace ActorLlama.Text.Tests;

public class TokenizeLinesTests
{
    private static string Run(string input, bool allowSpecial = false, bool decode = false)
    {
        var output = new StringWriter { NewLine = "\n" };
        TokenizeLines.Run(new StringReader(input), output, Tokenizers.Full, allowSpecial, decode);
        return output.ToString();
    }

    [SharedFact]
    public void Texts_and_dialogs_become_ids_line_by_line()
    {
        const string Input = """
            {"text": "Hello, world!"}

            {"messages": [{"role": "user", "content": "Hi"}], "text": "left alone"}
            {"text": ""}
            """;
        Assert.Equal("""
            {"ids":[19873,24,3817,13]}
            {"ids":[200000,200005,1556,200006,368,25181,200008,200005,140680,200006,368]}
            {"ids":[]}

            """, Run(Input));
    }

    [SharedFact]
    public void Special_spellings_are_text_unless_allowed()
    {
        Assert.Equal("{\"ids\":[200008]}\n", Run("""{"text": "<|eot|>"}""", allowSpecial: true));
        Assert.DoesNotContain("200008", Run("""{"text": "<|eot|>"}"""), StringComparison.Ordinal);
        Assert.Equal(Run("""{"messages": [{"role": "user", "content": "<|eot|>"}]}"""), Run("""{"messages": [{"role": "user", "content": "<|eot|>"}]}""", allowSpecial: true));
    }

    [SharedFact]
    public void Decoding_turns_ids_into_text()
    {
        Assert.Equal("{\"text\":\" \\uD83D\\uDE00\"}\n{\"text\":\"<|eot|>\"}\n{\"text\":\"\"}\n", Run("""
            {"ids": [51358, 222], "text": "left alone"}
            {"ids": [200008]}
            {"ids": []}
            """, decode: true));
    }

    [SharedTheory]
    [InlineData("{\"text\"", "is not JSON")]
    [InlineData("[1]", "not a JSON object")]
    [InlineData("{}", "neither \"text\" nor \"messages\"")]
    [InlineData("""{"text": 1}""", "\"text\" is 1")]
    [InlineData("""{"text": "\ud800"}""", "valid Unicode")]
    [InlineData("""{"messages": {}}""", "\"messages\" is {}")]
    [InlineData("""{"messages": [1]}""", "message 1 is 1")]
    [InlineData("""{"messages": [{"role": "king", "content": "x"}]}""", "\"role\" of message 1 is \"king\"")]
    [InlineData("""{"messages": [{"role": "user"}]}""", "message 1 has no \"content\"")]
    [InlineData("""{"messages": [{"role": "user", "content": 5}]}""", "\"content\" of message 1 is 5")]
    [InlineData("""{"messages": [{"role": "user", "content": [{"type": "sound"}]}]}""", "\"type\" of part 1 of message 1 is \"sound\"")]
    [InlineData("""{"messages": [{"role": "user", "content": [{"type": "image", "aspect_ratio": [0, 1]}]}]}""", "is [0, 1]")]
    [InlineData("""{"messages": [{"role": "user", "content": [{"type": "image", "aspect_ratio": [16, 2]}]}]}""", "at most 16 tiles")]
    [InlineData("""{"messages": [{"role": "assistant", "content": "", "tool_calls": [{"name": "f", "arguments": 3}]}]}""", "\"arguments\" of call 1 of message 1 is 3")]
    [InlineData("""{"messages": [{"role": "assistant", "content": "", "stop_reason": "bored"}]}""", "\"stop_reason\" of message 1 is \"bored\"")]
    [InlineData("""{"messages": [], "tool_prompt_format": "yaml"}""", "\"tool_prompt_format\" is \"yaml\"")]
    public void A_bad_line_is_named_with_its_number_what_was_found_and_the_rule(string line, string found)
    {
        var error = Assert.Throws<InvalidDataException>(() => Run($"{{\"text\": \"fine\"}}\n\n{line}\n"));
        Assert.StartsWith("Tokenize: line 3: ", error.Message, StringComparison.Ordinal);
        Assert.Contains(found, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', error.Message);
    }

    [SharedTheory]
    [InlineData("""{"text": "x"}""", "no list \"ids\"")]
    [InlineData("""{"ids": [1, 202048]}""", "id 202048")]
    [InlineData("""{"ids": [-1]}""", "id -1")]
    [InlineData("""{"ids": ["a"]}""", "id \"a\"")]
    [InlineData("""{"ids": [1.5]}""", "id 1.5")]
    public void A_bad_line_when_decoding_is_named_too(string line, string found)
    {
        var error = Assert.Throws<InvalidDataException>(() => Run(line, decode: true));
        Assert.StartsWith("Tokenize: line 1: ", error.Message, StringComparison.Ordinal);
        Assert.Contains(found, error.Message, StringComparison.Ordinal);
    }
}
