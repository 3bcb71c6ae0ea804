using System.Text.Json;
using ActorLlama.TestKit;

namespace ActorLlama.Text.Tests;

public class ChatFormatTests
{
    private static IEnumerable<(int Line, JsonElement Json)> Dialogs() =>
        File.ReadLines(Shared.PathOf("fixtures", "tokenizer", "chat.jsonl")).Select((line, index) => (index + 1, JsonDocument.Parse(line).RootElement));

    private static int[] Ids(JsonElement json) => [.. json.GetProperty("ids").EnumerateArray().Select(id => id.GetInt32())];

    [SharedFact]
    public void Every_dialog_encodes_as_in_the_reference_those_with_images_too()
    {
        var format = new ChatFormat(Tokenizers.Full);
        var dialogs = Dialogs().ToList();
        Assert.Equal((48, 9), (dialogs.Count, dialogs.Count(dialog => dialog.Json.TryGetProperty("tiles_per_image", out _))));
        var different = dialogs.Where(dialog => !format
            .EncodeDialog(ChatJson.ReadMessages(dialog.Json.GetProperty("messages")), ChatJson.ReadToolPromptFormat(dialog.Json.GetProperty("tool_prompt_format")))
            .SequenceEqual(Ids(dialog.Json))).Select(dialog => dialog.Line);
        Assert.Empty(different);
    }

    [SharedFact]
    public void Every_text_dialog_decodes_to_the_text_of_the_reference()
    {
        var different = Dialogs().Where(dialog => dialog.Json.TryGetProperty("text", out var text) && Tokenizers.Full.Decode(Ids(dialog.Json)) != text.GetString());
        Assert.Empty(different.Select(dialog => dialog.Line));
    }

    [SharedFact]
    public void Image_tiles_are_counted_as_in_the_reference()
    {
        foreach (var (_, json) in Dialogs().Where(dialog => dialog.Json.TryGetProperty("tiles_per_image", out _)))
        {
            var images = ChatJson.ReadMessages(json.GetProperty("messages")).SelectMany(message => message.Content).OfType<ContentPart.Image>();
            Assert.Equal(json.GetProperty("tiles_per_image").EnumerateArray().Select(tiles => tiles.GetInt32()), images.Select(image => image.TileCount));
        }
    }

    [SharedFact]
    public void Special_spellings_in_content_stay_text()
    {
        var format = new ChatFormat(Tokenizers.Bard);
        var plain = format.EncodeDialog([new ChatMessage(ChatRole.User, "a<|eot|>b<|header_start|>")]);
        Assert.Single(plain, Tokenizers.Bard.SpecialId(SpecialTokens.EndOfTurn));
        Assert.Equal(2, plain.Count(id => id == Tokenizers.Bard.SpecialId(SpecialTokens.HeaderStart)));
    }

    [SharedFact]
    public void A_dialog_is_its_messages_one_by_one()
    {
        var format = new ChatFormat(Tokenizers.Bard);
        ChatMessage[] messages = [new(ChatRole.System, "Be brief."), new(ChatRole.User, "Hi"), new(ChatRole.Assistant, "Hail.")];
        var whole = format.EncodeDialog(messages);
        Assert.Equal([Tokenizers.Bard.BosId, .. messages.SelectMany(message => format.EncodeMessage(message)), .. format.EncodeDialog([]).Skip(1)], whole);
    }

    [SharedFact]
    public void A_completion_is_bos_and_text()
    {
        Assert.Equal([2048, .. Tokenizers.Bard.Encode("ROMEO:")], ChatFormat.EncodeCompletion(Tokenizers.Bard, "ROMEO:"));
    }

    [SharedFact]
    public void A_vocabulary_without_the_tokens_of_a_dialog_is_refused()
    {
        var tokenizer = LlamaTokenizer.Load(Tokenizers.BardPath, new TokenizerOptions(VocabularySize: 2052));
        var error = Assert.Throws<InvalidDataException>(() => new ChatFormat(tokenizer));
        Assert.Contains("<|header_start|>", error.Message, StringComparison.Ordinal);
        Assert.Contains("2052", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("brave_search", """{"q": "x"}""", "named \"query\"")]
    [InlineData("code_interpreter", """{"code": 1}""", "named \"code\"")]
    [InlineData("f", "[1]", "JSON object")]
    [InlineData("f", "{", "JSON object")]
    [InlineData("f", """{"a": "\ud800"}""", "valid Unicode")]
    public void A_call_that_cannot_be_written_is_refused(string name, string arguments, string rule)
    {
        var error = Assert.Throws<InvalidDataException>(() => ToolCallWriter.Write(new ToolCall(name, arguments), ToolPromptFormat.Json));
        Assert.Contains($"\"{name}\"", error.Message, StringComparison.Ordinal);
        Assert.Contains(rule, error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"a":1.0,"b":1e5,"c":1E16,"d":1e-5,"e":0.0001,"f":-0,"g":-0.0,"h":12345678901234567890,"i":123456.789e3,"j":1.5e300,"k":0.1}""",
        """{"a": 1.0, "b": 100000.0, "c": 1e+16, "d": 1e-05, "e": 0.0001, "f": 0, "g": -0.0, "h": 12345678901234567890, "i": 123456789.0, "j": 1.5e+300, "k": 0.1}""")]
    [InlineData("""{"x":"é😀/\u007f\b","y":[],"z":{},"x":null}""", """{"x": null, "y": [], "z": {}}""")]
    [InlineData("""{"x":"é😀/\u007f\b"}""", """{"x": "\u00e9\ud83d\ude00/\u007f\b"}""")]
    public void Arguments_are_written_as_python_writes_json(string given, string written)
    {
        Assert.Equal($"<function=f>{written}</function>", ToolCallWriter.Write(new ToolCall("f", given), ToolPromptFormat.FunctionTag));
    }

    [Fact]
    public void A_checkpoint_folder_with_a_chat_template_is_an_instruct_model()
    {
        var folder = Directory.CreateTempSubdirectory("chat-template").FullName;
        try
        {
            Assert.Equal(ChatTemplateKind.Completion, ChatTemplates.KindOf(folder));
            var config = Path.Combine(folder, "tokenizer_config.json");
            File.WriteAllText(config, """{"bos_token": "x"}""");
            Assert.Equal(ChatTemplateKind.Completion, ChatTemplates.KindOf(folder));
            File.WriteAllText(config, """{"chat_template": "{{ x }}"}""");
            Assert.Equal(ChatTemplateKind.Chat, ChatTemplates.KindOf(folder));
            File.WriteAllText(config, "<html>");
            Assert.Contains("tokenizer_config.json", Assert.Throws<InvalidDataException>(() => ChatTemplates.KindOf(folder)).Message, StringComparison.Ordinal);
            File.WriteAllText(Path.Combine(folder, "chat_template.jinja"), "");
            Assert.Equal(ChatTemplateKind.Chat, ChatTemplates.KindOf(folder));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
