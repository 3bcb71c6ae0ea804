using System.Text.Json;
using ActorLlama.TestKit;

namespace ActorLlama.Cli.Tests;

public sealed class BusyDecodeTests
{
    [Fact]
    public async Task A_file_of_prompts_is_answered_by_a_node_that_takes_fewer_sessions_than_are_offered()
    {
        using var folder = new TemporaryFolder();
        var (prompts, answers) = (folder.PathOf("p.jsonl"), folder.PathOf("o.jsonl"));
        File.WriteAllLines(prompts, Enumerable.Range(1, 5).Select(i => $"{{\"prompt\":\"ROMEO: {i}\"}}"));
        await using var node = await Attachment.ToOwnAsync(
            new LocalClusterOptions(1, ProgramRun.SampleModel) { Settings = ["actorllama.session.max-sessions=2"] }, CancellationToken.None);
        var ended = await InProcess.RunAsync(
            ["decode", "--cluster", node.Connection.Address, "max_target_length=40", "max_prefill_predict_length=8", "--prompts", prompts, "--out", answers, "--sessions", "5"]);
        Assert.True(ended.ExitCode == 0, ended.Error);
        Assert.StartsWith("5 prompts answered (0 before), 165 tokens", ended.Error, StringComparison.Ordinal);
        var lines = File.ReadLines(answers).Select(line => JsonDocument.Parse(line).RootElement).ToList();
        Assert.Equal([1, 2, 3, 4, 5], lines.Select(line => line.GetProperty("line").GetInt32()).Order());
        Assert.All(lines, line => Assert.Equal(33, line.GetProperty("tokens").GetArrayLength()));
    }
}
