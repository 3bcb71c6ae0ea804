using System.Text.Json;
using ActorLlama.TestKit;

namespace ActorLlama.Cli.Tests;

/// <summary>Decoding, chatting and looking, against real node processes.</summary>
[Collection(ClusterCollection.Name)]
public sealed class DecodeTests(ClusterFixture cluster)
{
    private static readonly string s_golden = Path.Combine(ProgramRun.SampleModel, "golden.safetensors");

    [Fact]
    public async Task The_golden_prompt_gives_its_golden_tokens_at_temperature_0()
    {
        var golden = GoldenCase.Read(s_golden).Decode!;
        var result = await DecodeAsync("--prompt-tokens", string.Join(',', golden.Prompt), "--max-tokens", $"{golden.Tokens.Length}", "--temperature", "0");
        Assert.Equal(golden.Prompt.AsEnumerable(), Ints(result, "prompt_tokens"));
        Assert.Equal(golden.Tokens.AsEnumerable(), Ints(result, "tokens"));
        Assert.Equal("length", result.GetProperty("finish_reason").GetString());
        Assert.Equal(golden.Prompt.Length + golden.Tokens.Length, result.GetProperty("usage").GetProperty("total_tokens").GetInt32());
        Assert.True(result.GetProperty("timings").GetProperty("total_ms").GetDouble() > 0);
    }

    [Fact]
    public async Task Text_streams_as_it_is_and_equal_seeds_give_equal_text()
    {
        string[] line = ["decode", "--cluster", cluster.Address, "--prompt", "ROMEO:", "--max-tokens", "20", "--temperature", "0.9", "--seed", "5"];
        var text = await ProgramRun.ToEndAsync(line);
        Assert.True(text.ExitCode == 0, text.Error);
        var again = await InProcess.RunAsync([.. line, "--json"]);
        using var json = JsonDocument.Parse(again.LastLine);
        Assert.Equal(json.RootElement.GetProperty("text").GetString() + Environment.NewLine, text.Output);
    }

    [Fact]
    public async Task The_text_ends_before_a_stop_string()
    {
        var whole = (await DecodeAsync("--prompt", "ROMEO:", "--max-tokens", "30", "--temperature", "0")).GetProperty("text").GetString()!;
        var stop = whole[10..14];
        var result = await DecodeAsync("--prompt", "ROMEO:", "--max-tokens", "30", "--temperature", "0", "--stop", stop);
        Assert.Equal(whole[..whole.IndexOf(stop, StringComparison.Ordinal)], result.GetProperty("text").GetString());
        Assert.Equal("stop", result.GetProperty("finish_reason").GetString());
    }

    [Fact]
    public async Task A_special_token_spelled_by_a_user_is_plain_text()
    {
        var ids = Ints(await DecodeAsync("--prompt", "<|eot|>", "--max-tokens", "1", "--temperature", "0"), "prompt_tokens");
        Assert.Equal(2048, ids[0]);
        Assert.True(ids.Length > 2);
        Assert.All(ids[1..], id => Assert.True(id < 2048));
    }

    [Fact]
    public async Task A_prompt_longer_than_the_context_is_refused_with_both_numbers()
    {
        var ended = await InProcess.RunAsync(["decode", "--cluster", cluster.Address, "--prompt-tokens", string.Join(',', Enumerable.Repeat(5, 1100))]);
        ended.AssertFailed(CommandLine.Failed, "1100", "1024");
    }

    [Fact]
    public async Task A_token_that_does_not_exist_is_refused() =>
        (await InProcess.RunAsync(["decode", "--cluster", cluster.Address, "--prompt-tokens", "1,99999"])).AssertFailed(CommandLine.Failed, "99999");

    [Fact]
    public async Task Ctrl_C_ends_a_decode_and_frees_its_session()
    {
        using var run = ProgramRun.Start(
            ["decode", "--cluster", cluster.Address, "--prompt", "ROMEO:", "--max-tokens", "1000", "--temperature", "1", "--json"]);
        Assert.Contains("\"index\":0", await run.Output.ReadLineAsync(), StringComparison.Ordinal);
        run.Signal(ProcessSignal.Interrupt);
        var ended = await run.EndAsync();
        Assert.True(ended.ExitCode == CommandLine.Interrupted, $"exit code {ended.ExitCode}: {ended.Error}");
        Assert.Contains("\"finish_reason\":\"cancelled\"", ended.LastLine, StringComparison.Ordinal);
        for (var look = 0; ; look++)
        {
            var status = await cluster.Connection.GetStatusAsync(TimeSpan.FromSeconds(10));
            if (status.Nodes.SelectMany(n => n.Pipelines).All(p => p.Whole.Used + p.Chunked.Used == 0)) break;
            Assert.True(look < 100, "after Ctrl-C: KV cache is still held after 10 s");
            await Task.Delay(100);
        }
    }

    [Fact]
    public async Task Chat_answers_each_piped_line_and_ends()
    {
        var ended = await ProgramRun.ToEndAsync(
            ["chat", "--cluster", cluster.Address, "--temperature", "0", "--max-tokens", "12"], "ROMEO:\n/max 3\nJULIET:\n");
        Assert.True(ended.ExitCode == 0, ended.Error);
        var romeo = (await DecodeAsync("--prompt", "ROMEO:", "--max-tokens", "12", "--temperature", "0")).GetProperty("text").GetString();
        var juliet = (await DecodeAsync("--prompt", "JULIET:", "--max-tokens", "3", "--temperature", "0")).GetProperty("text").GetString();
        Assert.Equal($"{romeo}\nmax 3\n{juliet}\n", ended.Output);
    }

    [Fact]
    public async Task Status_shows_every_node_as_table_and_as_json()
    {
        var table = await InProcess.RunAsync(["cluster", "status", "--cluster", cluster.Address]);
        Assert.Equal(0, table.ExitCode);
        foreach (var name in new[] { "node-1", "node-2", "node-3", "Ready" }) Assert.Contains(name, table.Output, StringComparison.Ordinal);
        var json = await InProcess.RunAsync(["cluster", "status", "--cluster", cluster.Address, "--json"]);
        using var status = JsonDocument.Parse(json.LastLine);
        Assert.Equal("Ready", status.RootElement.GetProperty("state").GetString());
        Assert.All(status.RootElement.GetProperty("nodes").EnumerateArray(), n => Assert.True(
            n.GetProperty("stages").GetArrayLength() + n.GetProperty("shards").GetArrayLength() > 0));
    }

    [Fact]
    public async Task A_file_of_prompts_is_answered_line_by_line_and_a_rerun_goes_on_where_it_was_torn()
    {
        using var folder = new TemporaryFolder();
        var (prompts, answers) = (folder.PathOf("p.txt"), folder.PathOf("o.jsonl"));
        File.WriteAllLines(prompts, [.. Enumerable.Range(1, 9).Select(i => $"ROMEO: {i}"), string.Join(' ', Enumerable.Repeat("x", 3000))]);
        string[] line = ["decode", "--cluster", cluster.Address, "--prompts", prompts, "--out", answers, "--max-tokens", "6", "--seed", "3", "--sessions", "4"];
        (await InProcess.RunAsync(line)).AssertFailed(CommandLine.Failed, "9 prompts answered (0 before)", "1 could not be answered: line 10:", "1024");
        var whole = File.ReadAllLines(answers).Order().ToArray();
        using var fourth = JsonDocument.Parse(whole[3]);
        var alone = await DecodeAsync("--prompt", "ROMEO: 4", "--max-tokens", "6", "--seed", "3");
        Assert.Equal("ROMEO: 4", fourth.RootElement.GetProperty("prompt").GetString());
        Assert.Equal(Ints(alone, "tokens"), Ints(fourth.RootElement, "tokens"));
        Assert.Equal(alone.GetProperty("text").GetString(), fourth.RootElement.GetProperty("text").GetString());

        File.WriteAllBytes(answers, File.ReadAllBytes(answers)[..^9]);
        (await InProcess.RunAsync(line)).AssertFailed(CommandLine.Failed, "1 prompts answered (8 before)");
        Assert.Equal(whole, File.ReadAllLines(answers).Order());
    }

    [Fact]
    public async Task Log_probabilities_come_with_each_token_of_json()
    {
        var ended = await InProcess.RunAsync(["decode", "--cluster", cluster.Address, "--prompt", "ROMEO:", "--max-tokens", "3", "--temperature", "0", "--json", "--logprobs", "2"]);
        Assert.True(ended.ExitCode == 0, ended.Error);
        using var token = JsonDocument.Parse(ended.Output.Split('\n')[0]);
        var top = token.RootElement.GetProperty("top_logprobs").EnumerateArray().ToArray();
        Assert.Equal(token.RootElement.GetProperty("id").GetInt32(), top[0].GetProperty("id").GetInt32());
        Assert.Equal(token.RootElement.GetProperty("logprob").GetSingle(), top[0].GetProperty("logprob").GetSingle());
        Assert.Equal(2, top.Length);
        Assert.True(top[0].GetProperty("logprob").GetSingle() > top[1].GetProperty("logprob").GetSingle());
    }

    private static int[] Ints(JsonElement result, string name) => [.. result.GetProperty(name).EnumerateArray().Select(e => e.GetInt32())];

    private async Task<JsonElement> DecodeAsync(params string[] arguments)
    {
        var ended = await InProcess.RunAsync(["decode", "--cluster", cluster.Address, "--json", .. arguments]);
        Assert.True(ended.ExitCode == 0, ended.Error);
        using var json = JsonDocument.Parse(ended.LastLine);
        return json.RootElement.Clone();
    }
}
