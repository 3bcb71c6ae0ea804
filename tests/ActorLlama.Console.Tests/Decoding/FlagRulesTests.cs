using ActorLlama.Protocol;

namespace ActorLlama.Cli.Tests;

public sealed class FlagRulesTests
{
    private static readonly ClusterProtocol.Model s_model = new(
        "m", new NodeProtocol.ModelIdentity(1, "", ""), new ModelShape("m", 8, 16, 100, 0, 0, 1, 1, 0, 4, []), true, IsInstruct: true,
        new SamplingOptions(0.6, 0.9, 0, 0), 1, [2]);

    [Theory]
    [InlineData("", 0, 1, 0)]
    [InlineData("decode_sampling_temperature=0.7 decode_sampling_top_k=5", 0, 1, 0)]
    [InlineData("decode_sampling_strategy=weighted decode_sampling_temperature=0.8", 0.8, 1, 0)]
    [InlineData("decode_sampling_strategy=topk decode_sampling_top_k=5 decode_sampling_temperature=0.6", 0.6, 1, 5)]
    [InlineData("decode_sampling_strategy=nucleus decode_sampling_nucleus_p=0.3 decode_sampling_temperature=1.5", 1.5, 0.3, 0, TopPRule.UntemperedWithTies)]
    [InlineData("decode_sampling_strategy=nucleus decode_sampling_nucleus_p=0", 1, 0, 0, TopPRule.UntemperedWithTies)]
    [InlineData("decode_sampling_strategy=composite decode_sampling_nucleus_p=0.8 decode_sampling_top_k=20", 1, 0.8, 20, TopPRule.Untempered)]
    [InlineData("decode_sampling_strategy=composite decode_sampling_nucleus_p=1 decode_sampling_top_k=3 decode_sampling_temperature=0", 1e-6, 1, 3, TopPRule.Untempered)]
    public void Strategies_are_those_of_the_table(string flags, double temperature, double topP, int topK, TopPRule rule = TopPRule.Tempered) =>
        Assert.Equal(new SamplingOptions(temperature, topP, topK, 1234, rule), FlagRules.SamplingOf(RunFlags.Parse(Split(flags))));

    [Theory]
    [InlineData("decode_sampling_strategy=nucleus", "decode_sampling_nucleus_p is -1")]
    [InlineData("decode_sampling_strategy=composite decode_sampling_top_k=3 decode_sampling_nucleus_p=1.5", "decode_sampling_nucleus_p is 1.5")]
    [InlineData("decode_sampling_strategy=topk", "decode_sampling_top_k is 0")]
    [InlineData("decode_sampling_strategy=composite decode_sampling_nucleus_p=0.5", "decode_sampling_top_k is 0")]
    [InlineData("decode_sampling_strategy=weighted decode_sampling_temperature=0", "decode_sampling_temperature is 0")]
    [InlineData("decode_sampling_strategy=topk decode_sampling_top_k=3 decode_sampling_temperature=-1", "decode_sampling_temperature is -1")]
    [InlineData("max_prefill_predict_length=0", "max_prefill_predict_length is 0")]
    [InlineData("max_prefill_predict_length=8 max_target_length=7", "max_target_length is 7, below max_prefill_predict_length 8")]
    [InlineData("add_bos=false", "add_bos=false needs tokenizer_path")]
    [InlineData("tokenizer_path=/nowhere/t", "\"/nowhere/t\" does not exist")]
    public void Flags_that_cannot_be_followed_are_refused_by_name_and_value(string flags, string part)
    {
        var fault = Assert.ThrowsAny<Exception>(() => new FlagRules(RunFlags.Parse(Split(flags))));
        Assert.True(fault is InvalidDataException or FileNotFoundException, fault.ToString());
        Assert.Contains(part, fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_request_runs_on_over_end_tokens_for_the_steps_of_maxtext_and_completes_text_also_with_an_instruct_model()
    {
        var request = Rules("max_prefill_predict_length=4 max_target_length=16").RequestFor("I love to", s_model);
        Assert.Equal((13, true, true), (request.MaxTokens, request.IgnoreEos, request.ShowSpecial));
        Assert.Equal("I love to", request.Prompt.Text);
        Assert.Equal("user", Rules("use_chat_template=true max_target_length=99").RequestFor("Hi", s_model).Prompt.Dialog!.Value.Single().Role);
    }

    [Fact]
    public void A_tokenizer_of_one_s_own_makes_the_ids_with_or_without_the_token_of_the_beginning()
    {
        var file = Path.Combine(ProgramRun.SampleModel, "tokenizer.model");
        Assert.Equal([2048, 73, 528, 291], Ids(file, "add_bos=true"));
        Assert.Equal([73, 528, 291], Ids(file, "add_bos=false"));
        Assert.Equal(Ids(file, "add_bos=true"), Ids(ProgramRun.SampleModel, "add_bos=true"));

        static IEnumerable<int> Ids(string tokenizer, string flag) =>
            Rules($"{flag} max_target_length=99 tokenizer_path={tokenizer}").RequestFor("I love to", s_model).Prompt.Tokens!.Value;
    }

    [Fact]
    public void Lengths_are_held_against_the_prompt_and_the_model()
    {
        var fault = Assert.Throws<InvalidDataException>(() => Rules("max_target_length=101").RequestFor("x", s_model));
        Assert.Contains("max_target_length is 101, above the model's context of 100", fault.Message, StringComparison.Ordinal);
        var rules = Rules("max_prefill_predict_length=3 max_target_length=100");
        Assert.Contains("4 tokens, more than max_prefill_predict_length 3", rules.PromptFault([1, 2, 3, 4], s_model), StringComparison.Ordinal);
        Assert.Contains("3 tokens and 98 more", rules.PromptFault([1, 2, 3], s_model), StringComparison.Ordinal);
        Assert.Null(rules.PromptFault([1, 2], s_model));
    }

    [Fact]
    public void The_answer_must_start_with_the_text_that_is_asserted()
    {
        var rules = Rules("autoregressive_decode_assert=yes");
        Assert.Null(rules.AnswerFault("yes, my lord"));
        Assert.Contains("\"yes\"", rules.AnswerFault("no"), StringComparison.Ordinal);
        Assert.Null(Rules("").AnswerFault("anything"));
    }

    private static FlagRules Rules(string flags) => new(RunFlags.Parse(Split(flags)));

    private static string[] Split(string flags) => flags.Split(' ', StringSplitOptions.RemoveEmptyEntries);
}
