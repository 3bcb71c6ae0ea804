using System.Text.Json;

namespace ActorLlama.Cli.Tests;

/// <summary><c>decode</c> with MaxText's flags on the sample model (spec 8.1).</summary>
[Collection(ClusterCollection.Name)]
public sealed class FlaggedDecodeTests(ClusterFixture cluster)
{
    /// <summary>The command that MaxText documents, after our program's name, on a node of its own.</summary>
    [Fact]
    public async Task The_documented_decode_command_prints_13_tokens_on_one_line()
    {
        var line = "decode scan_layers=false base_output_directory=out run_name=run force_unroll=false weight_dtype=bfloat16 sparse_matmul=false megablox=false "
            + "max_target_length=16 max_prefill_predict_length=4 per_device_batch_size=2 attention=dot_product decode_sampling_strategy=greedy";
        var model = ProgramRun.SampleModel;
        var ended = await InProcess.RunAsync(
            [.. line.Split(' '), $"load_parameters_path={model}", "model_name=bard", $"tokenizer_path={Path.Combine(model, "tokenizer.model")}", "prompt=I love to"]);
        Assert.True(ended.ExitCode == 0, ended.Error);
        var plain = await InProcess.RunAsync(["decode", "--cluster", cluster.Address, "--prompt", "I love to", "--max-tokens", "13", "--temperature", "0"]);
        Assert.Equal($"Input `I love to` -> `{plain.Output.TrimEnd('\n')}`\n", ended.Output);
        Assert.Equal(
            "without effect here: per_device_batch_size, weight_dtype, base_output_directory, run_name, scan_layers, sparse_matmul, megablox, attention, force_unroll\n",
            ended.Error);
    }

    [Fact]
    public async Task Flags_go_on_over_an_end_token_and_draw_the_same_tokens_each_time()
    {
        string[] line = ["decode", "--cluster", cluster.Address, "decode_sampling_strategy=weighted", "decode_sampling_temperature=46", "max_prefill_predict_length=4", "max_target_length=50"];
        var text = await InProcess.RunAsync(line);
        Assert.True(text.ExitCode == 0, text.Error);
        var again = await InProcess.RunAsync([.. line, "--json"]);
        using var json = JsonDocument.Parse(again.LastLine);
        var tokens = json.RootElement.GetProperty("tokens").EnumerateArray().Select(token => token.GetInt32()).ToArray();
        Assert.Equal((47, "length"), (tokens.Length, json.RootElement.GetProperty("finish_reason").GetString()));
        Assert.InRange(Array.IndexOf(tokens, 2055), 1, 45); // <|eom|>, one of the model's three end tokens
        Assert.Equal($"Input `I love to` -> `{json.RootElement.GetProperty("text").GetString()}`{Environment.NewLine}", text.Output);
        Assert.Contains("<|eom|>", text.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Flags_that_the_model_or_the_prompt_contradicts_are_told_in_one_line()
    {
        string[] line = ["decode", "--cluster", cluster.Address];
        (await InProcess.RunAsync([.. line, "prompt=x"])).AssertFailed(CommandLine.Failed, "max_target_length is 2048", "1024");
        (await InProcess.RunAsync([.. line, "max_target_length=9", "max_prefill_predict_length=3"])).AssertFailed(CommandLine.Failed, "4 tokens", "max_prefill_predict_length 3");
        (await InProcess.RunAsync([.. line, "max_target_length=99", "model_name=tiny-scout"])).AssertFailed(CommandLine.Failed, "\"tiny-scout\"", "experts: 4");
        (await InProcess.RunAsync([.. line, "max_target_length=99", "model_name=llama5"])).AssertFailed(CommandLine.Failed, "\"llama5\"", "\"llama4-17b-16e\"");
        var asserted = await InProcess.RunAsync([.. line, "max_target_length=64", "autoregressive_decode_assert=zzz"]);
        Assert.Equal(CommandLine.Failed, asserted.ExitCode);
        Assert.Contains("error: Decode: the answer does not start with autoregressive_decode_assert \"zzz\".", asserted.Error, StringComparison.Ordinal);
    }
}
