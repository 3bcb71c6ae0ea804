using ActorLlama.TestKit;

namespace ActorLlama.Checkpoints.Tests;

/// <summary>What the small files beside the weights say.</summary>
public sealed class CheckpointFlavourTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly string _tiny;

    public CheckpointFlavourTests() => _tiny = TinyShapes.WriteSingle(_folder.Path);

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("chat_template.jinja", "{{ bos }}", true)]
    [InlineData("chat_template.json", """{"chat_template": "x"}""", true)]
    [InlineData("tokenizer_config.json", """{"chat_template": "x"}""", true)]
    [InlineData("tokenizer_config.json", """{"chat_template": [{"name": "default", "template": "x"}]}""", true)]
    [InlineData("tokenizer_config.json", """{"chat_template": null}""", false)]
    [InlineData("tokenizer_config.json", """{"chat_template": ""}""", false)]
    [InlineData("tokenizer_config.json", """{"bos_token": "x"}""", false)]
    [InlineData("notes.txt", "", false)]
    public void A_chat_template_makes_it_an_Instruct_model(string file, string text, bool isInstruct)
    {
        File.WriteAllText(Path.Combine(_tiny, file), text);
        using var checkpoint = CheckpointDirectory.Open(_tiny);
        Assert.Equal(isInstruct, checkpoint.IsInstruct);
    }

    [Theory]
    [InlineData(null, 0, 1, 0)]
    [InlineData("{}", 0, 1, 0)]
    [InlineData("""{"do_sample": false, "temperature": 0.6}""", 0, 1, 0)]
    [InlineData("""{"do_sample": true}""", 1, 1, 0)]
    [InlineData("""{"do_sample": true, "temperature": 0.6, "top_p": 0.9, "top_k": 50}""", 0.6, 0.9, 50)]
    [InlineData("""{"do_sample": true, "temperature": null, "top_p": null}""", 1, 1, 0)]
    [InlineData("""{"repetition_penalty": 1.1}""", 0, 1, 0, 1.1)]
    [InlineData("""{"do_sample": true, "repetition_penalty": 0.9}""", 1, 1, 0, 0.9)]
    public void Sampling_defaults_come_from_the_file_or_are_greedy(string? json, double temperature, double topP, int topK, double penalty = 1)
    {
        if (json is not null) File.WriteAllText(Path.Combine(_tiny, "generation_config.json"), json);
        using var checkpoint = CheckpointDirectory.Open(_tiny);
        Assert.Equal(new GenerationDefaults(temperature, topP, topK) { RepetitionPenalty = penalty }, checkpoint.GenerationDefaults);
    }

    [Fact]
    public void A_tied_head_may_be_repeated_and_need_not_be()
    {
        var config = Path.Combine(_tiny, "config.json");
        File.WriteAllText(config, File.ReadAllText(config).Replace("\"tie_word_embeddings\": false", "\"tie_word_embeddings\": true", StringComparison.Ordinal));
        using var checkpoint = CheckpointDirectory.Open(_tiny);
        Assert.True(checkpoint.Config.TieEmbeddings);
        Assert.Throws<KeyNotFoundException>(() => checkpoint.Get(Model.ParameterNames.LmHead));
    }
}
