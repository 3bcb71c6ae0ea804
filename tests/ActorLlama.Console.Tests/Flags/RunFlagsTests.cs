using ActorLlama.TestKit;

namespace ActorLlama.Cli.Tests;

public sealed class RunFlagsTests
{
    [Fact]
    public void Names_are_single_and_every_default_is_of_its_kind()
    {
        Assert.Equal(RunFlagTable.Flags.Length, RunFlagTable.Flags.Select(flag => flag.Name).Distinct().Count());
        foreach (var flag in RunFlagTable.Flags.Where(flag => flag.Values.IsEmpty || flag.Default.Length > 0)) RunFlags.Parse([$"{flag.Name}={flag.Default}"]);
        Assert.All(RunFlagTable.Flags, flag => Assert.EndsWith(".", flag.Meaning, StringComparison.Ordinal));
    }

    [Fact]
    public void What_is_given_wins_over_the_defaults_and_python_s_spelling_is_understood()
    {
        var flags = RunFlags.Parse(["max_target_length=16", "prompt=a=b c", "add_bos=False", "decode_sampling_nucleus_p=.9", "autoregressive_decode_assert="]);
        Assert.Equal((16, 64), (flags.Whole("max_target_length"), flags.Whole("max_prefill_predict_length")));
        Assert.Equal(("a=b c", ""), (flags.Text("prompt"), flags.Text("autoregressive_decode_assert")));
        Assert.Equal((false, 0.9), (flags.Truth("add_bos"), flags.Number("decode_sampling_nucleus_p")));
        Assert.True(flags.Has("add_bos"));
        Assert.False(flags.Has("max_prefill_predict_length"));
    }

    [Theory]
    [InlineData("prompt", "\"prompt\" is not key=value")]
    [InlineData("=x", "\"=x\" is not key=value")]
    [InlineData("max_target_lenght=16", "Did you mean max_target_length?")]
    [InlineData("top_k=3", "\"top_k\" is not known")]
    [InlineData("max_target_length=many", "max_target_length is \"many\"; it is a whole number")]
    [InlineData("max_target_length=99999999999", "it is a whole number")]
    [InlineData("decode_sampling_temperature=NaN", "it is a number")]
    [InlineData("add_bos=yes", "it is true or false")]
    [InlineData("decode_sampling_strategy=best", "it is one of greedy, weighted, nucleus, topk, composite")]
    public void A_flag_that_is_none_is_told_with_what_it_might_be(string argument, string part)
    {
        var fault = Assert.Throws<InvalidDataException>(() => RunFlags.Parse([argument]));
        Assert.Contains(part, fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_flag_given_twice_is_refused() => Assert.Contains(
        "prompt is given twice, as \"a\" and as \"b\"", Assert.Throws<InvalidDataException>(() => RunFlags.Parse(["prompt=a", "prompt=b"])).Message, StringComparison.Ordinal);

    [Fact]
    public void Flags_without_effect_are_those_of_other_verbs_and_of_none_each_once()
    {
        var flags = RunFlags.Parse(["attention=dot_product", "steps=5", "prompt=x", "scan_layers=false", "model_name=default"]);
        Assert.Equal(["scan_layers", "steps", "attention"], flags.WithoutEffect(FlagUse.Decode));
        Assert.Equal(["prompt", "attention"], flags.WithoutEffect(FlagUse.Train));
    }

    [Fact]
    public void A_file_s_flags_stand_under_those_of_the_command_line_and_beside_the_nodes_settings()
    {
        using var folder = new TemporaryFolder();
        var path = folder.PathOf("f.conf");
        File.WriteAllText(path, "prompt = \"To be\"\nmax_target_length = 20\nadd_bos = false\nactorllama { plan.nodes = 1 }\nakka.loglevel = DEBUG\n");
        var flags = RunFlags.Parse(["max_target_length=9"]).Over(FlagFile.Read(path), path);
        Assert.Equal(("To be", 9, false), (flags.Text("prompt"), flags.Whole("max_target_length"), flags.Truth("add_bos")));
    }

    [Theory]
    [InlineData("promt = x", "\"promt\" in \"", "Did you mean prompt?")]
    [InlineData("steps = many", "steps is \"many\" in \"", "whole number")]
    [InlineData("prompt = [a, b]", "prompt in \"", "a list")]
    [InlineData("max_target_length { a = 1 }", "max_target_length", "an object")]
    [InlineData("actorllama.plan.node = 1", "\"actorllama.plan.node\"", "actorllama.plan.nodes")]
    [InlineData("prompt = \"x", "is not valid HOCON", "f.conf")]
    public void A_fault_in_a_file_is_told_with_its_place(string text, params string[] parts)
    {
        using var folder = new TemporaryFolder();
        var path = folder.PathOf("f.conf");
        File.WriteAllText(path, text);
        var fault = Assert.Throws<InvalidDataException>(() => RunFlags.None.Over(FlagFile.Read(path), path));
        Assert.All(parts, part => Assert.Contains(part, fault.Message, StringComparison.Ordinal));
    }

    [Fact]
    public void The_shipped_file_of_flags_can_be_read()
    {
        var path = Path.Combine(Shared.RepositoryRoot, "config", "decode.conf");
        Assert.Equal(13, new FlagRules(RunFlags.None.Over(FlagFile.Read(path), path)).Tokens);
    }
}
