using System.Collections.Immutable;
using ActorLlama.Client;
using ActorLlama.Model;
using ActorLlama.Protocol;
using ActorLlama.Text;

namespace ActorLlama.Cli.Tests;

/// <summary>What sessions of real node processes tell beside their tokens, held against the parts that make it.</summary>
[Collection(ClusterCollection.Name)]
public sealed class SessionTests(ClusterFixture cluster)
{
    [Fact]
    public async Task A_dialog_with_tools_is_prompted_in_the_chat_format_and_answered_with_special_tokens_in_their_spelling()
    {
        ChatTool weather = new("weather", "Weather of a city", "{\"type\":\"object\"}");
        ImmutableArray<ChatTurn> turns = [new("user", "Rain?"), new("assistant", "", [new("weather", "{\"city\":\"Bern\"}")]), new("tool", "no")];
        var tokenizer = LlamaTokenizer.Load(Path.Combine(ProgramRun.SampleModel, "tokenizer.model"), new TokenizerOptions(4096, 2048, [2049, 2055, 2056], 2066));
        var dialog = ToolPrompt.AddTools(
            [
                new(ChatRole.User, "Rain?"), new ChatMessage(ChatRole.Assistant, "") { ToolCalls = [new ToolCall("weather", "{\"city\": \"Bern\"}")] },
                new(ChatRole.Tool, "no"),
            ],
            [new ToolDefinition(weather.Name, weather.Description, weather.ParametersJson)]);
        var result = await cluster.Connection.OpenSession(new GenerationRequest(GenerationRequest.Dialog(turns, [weather]), 40)
        {
            Sampling = new SamplingOptions(100, 1, 0, 6),
            ShowSpecial = true,
            IgnoreEos = true,
        }).ReadToEndAsync();
        Assert.Equal(new ChatFormat(tokenizer).EncodeDialog(dialog), result.PromptTokens);
        Assert.Contains(result.Tokens, tokenizer.IsSpecial);
        Assert.Equal(tokenizer.Decode(result.Tokens.AsSpan()), result.Text);
    }

    /// <summary>
    /// Tokens follow from the raw logits, a penalty on what the sequence holds, the seed and the choice's number; those of a prompt whose first
    /// blocks another session has computed are the same.
    /// </summary>
    [Fact]
    public async Task Choices_of_one_prompt_and_seed_differ_and_each_is_what_it_is_alone()
    {
        var settings = new Model.SamplingSettings(0.9, 0.95, 0, 5) { RepetitionPenalty = 1.3 };
        var request = new GenerationRequest(GenerationRequest.Tokens(Enumerable.Range(0, 150).Select(i => 300 + (i * 37 % 1000))), 24)
        {
            Sampling = new SamplingOptions(settings.Temperature, settings.TopP, settings.TopK, settings.Seed, RepetitionPenalty: settings.RepetitionPenalty),
            LogProbs = 1,
            Logits = LogitsWanted.Generated,
            IgnoreEos = true,
        };
        var alone = await cluster.Connection.OpenSession(request with { Choice = 2 }).ReadToEndAsync();
        var together = await Task.WhenAll(cluster.Connection.OpenChoices(request, 3).Select(stream => stream.ReadToEndAsync()));
        Assert.Equal(3, together.Select(result => string.Join(',', result.Tokens)).Distinct().Count());
        Assert.Equal(alone.Tokens.AsEnumerable(), together[2].Tokens);
        Assert.Equal(alone.LogProbs.AsEnumerable(), together[2].LogProbs);
        foreach (var (result, choice) in together.Select((result, choice) => (result, choice)))
        {
            List<int> history = [.. result.PromptTokens];
            foreach (var (token, told) in result.Tokens.Zip(result.LogProbs))
            {
                var logits = result.Logits[history.Count - 1];
                var likely = TokenLikelihood.Of(logits, token, 1);
                Assert.Equal(new TokenLogProbs(likely.LogProb, likely.TopIds, likely.TopLogProbs), told);
                Sampler.Penalize(logits, history.ToArray(), settings.RepetitionPenalty);
                Assert.Equal(Sampler.Choose(logits, settings, (uint)choice, history.Count), token);
                history.Add(token);
            }
        }
    }
}
