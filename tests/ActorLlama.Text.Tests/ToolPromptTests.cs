namespace ActorLlama.Text.Tests;

public class ToolPromptTests
{
    private static readonly ToolDefinition s_weather = new("get_weather", "Weather of a städt", """
        {"type":"object","properties":{"city":{"type":"string","description":"e.g. \"Z\u00fcrich\" 😀\n"},"days":{"enum":[1,2.5,1e300]}},"required":["city"],
        "additionalProperties":false,"empty":{},"none":[],"null":null}
        """);

    /// <summary>The instructions as Hugging Face's template has them, the definition as Python's json.dumps(indent=4, ensure_ascii=False) writes it.</summary>
    private const string Told =
        """
        Given the following functions, please respond with a JSON for a function call with its proper arguments that best answers the given prompt.

        Respond in the format {"name": function name, "parameters": dictionary of argument name and its value}.Do not use variables.

        {
            "type": "function",
            "function": {
                "name": "get_weather",
                "description": "Weather of a städt",
                "parameters": {
                    "type": "object",
                    "properties": {
                        "city": {
                            "type": "string",
                            "description": "e.g. \"Zürich\" 😀\n"
                        },
                        "days": {
                            "enum": [
                                1,
                                2.5,
                                1e+300
                            ]
                        }
                    },
                    "required": [
                        "city"
                    ],
                    "additionalProperties": false,
                    "empty": {},
                    "none": [],
                    "null": null
                }
            }
        }


        """;

    [Fact]
    public void Tools_are_told_of_before_the_first_user_message_and_the_environment_in_the_system_message()
    {
        var told = ToolPrompt.AddTools(
            [new(ChatRole.System, "Be brief."), new(ChatRole.User, "Weather?"), new(ChatRole.Assistant, "Where?"), new(ChatRole.User, "Bern")], [s_weather]);
        Assert.Equal<ChatMessage>(
            [new(ChatRole.System, "Environment: ipython\nBe brief."), new(ChatRole.User, Told + "Weather?"), new(ChatRole.Assistant, "Where?"), new(ChatRole.User, "Bern")],
            told);
    }

    [Fact]
    public void Each_tool_has_a_definition_of_its_own_and_an_image_stays_behind_them()
    {
        var image = new ContentPart.Image(1, 1);
        var told = ToolPrompt.AddTools([new ChatMessage(ChatRole.User, [image])], [s_weather, s_weather with { Name = "other" }]);
        var text = Assert.IsType<ContentPart.Text>(told[0].Content[0]).Value;
        Assert.Equal(Told + Told[Told.IndexOf("{\n    \"type\"", StringComparison.Ordinal)..].Replace("get_weather", "other", StringComparison.Ordinal), text);
        Assert.Equal(image, told[0].Content[1]);
    }

    [Fact]
    public void Without_tools_the_dialog_is_as_it_was()
    {
        ChatMessage[] dialog = [new(ChatRole.System, "x")];
        Assert.Same(dialog, ToolPrompt.AddTools(dialog, []));
    }

    [Theory]
    [InlineData("f", "[1]", "\"f\" are \"[1]\"")]
    [InlineData("f", "{", "\"f\" are \"{\"")]
    [InlineData("f", "{\"a\": \"\\ud800\"}", "valid Unicode")]
    [InlineData("", "{}", "no name")]
    [InlineData("get_weather", "{}", "\"get_weather\" is defined 2 times")]
    public void A_definition_that_is_not_one_is_refused_by_name(string name, string parameters, string part)
    {
        var fault = Assert.Throws<InvalidDataException>(() => ToolPrompt.AddTools([new(ChatRole.User, "x")], [s_weather, new(name, "", parameters)]));
        Assert.Contains(part, fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Tools_need_a_message_of_the_user() =>
        Assert.Contains("there is none", Assert.Throws<InvalidDataException>(() => ToolPrompt.AddTools([new(ChatRole.System, "x")], [s_weather])).Message, StringComparison.Ordinal);
}
