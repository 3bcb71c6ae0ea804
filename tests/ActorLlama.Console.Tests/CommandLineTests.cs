using ActorLlama.TestKit;

namespace ActorLlama.Cli.Tests;

/// <summary>Mistakes on the command line and in files: one clear line, a non-zero exit code, nothing started.</summary>
public sealed class CommandLineTests
{
    [Theory]
    [InlineData("bogus", "bogus")]
    [InlineData("decode --bogus", "bogus")]
    [InlineData("chta", "'chta'", "Did you mean chat?")]
    [InlineData("cluster stauts", "'stauts'", "Did you mean status?")]
    [InlineData("decode --promt x", "'promt'", "Did you mean --prompt?")]
    [InlineData("cluster save --too x", "'too'", "Did you mean --to?")]
    [InlineData("chat --mode talk", "\"talk\"", "chat or complete")]
    [InlineData("up --nodes 0", "--nodes is 0", "at least 1")]
    [InlineData("up --nodes two", "\"two\" is no number that --nodes takes")]
    [InlineData("decode --model m --prompt x --max-tokens=many", "\"many\" is no number that --max-tokens takes")]
    [InlineData("decode --model m --prompt x --seed 1 --temperature hot", "\"hot\" is no number that --temperature takes")]
    [InlineData("verify --model m", "golden")]
    [InlineData("verify --golden g", "--model and --cluster")]
    [InlineData("verify --golden g --model m --dtype float64", "\"float64\"", "bfloat16")]
    [InlineData("decode --model m --cluster c --prompt x", "exclude")]
    [InlineData("decode --model m", "--prompt, --prompt-tokens and --prompts")]
    [InlineData("verify --golden g --cluster c actorllama.plan.stages=2", "actorllama.plan.stages=2", "--model")]
    [InlineData("decode --model m --prompt x --temperature -1", "-1")]
    [InlineData("decode --model m --prompt x --top-p 1.5", "1.5", "at most 1")]
    [InlineData("decode --model m --prompt x --max-tokens 0", "--max-tokens is 0")]
    [InlineData("node", "config")]
    public async Task Wrong_usage_is_told_in_one_line(string line, params string[] parts) =>
        (await InProcess.RunAsync(line.Split(' '))).AssertFailed(CommandLine.WrongUsage, parts);

    [Theory]
    [InlineData("decode --model /nowhere/m --prompt x", "\"/nowhere/m\"", "does not exist")]
    [InlineData("decode --model /etc/hostname --prompt x", "\"/etc/hostname\"", "is a file", "checkpoint folder")]
    [InlineData("decode --model /nowhere/m --prompt-tokens 1,x,3", "\"x\"", "token id")]
    [InlineData("verify --model m --golden /nowhere/g", "/nowhere/g")]
    [InlineData("tokenize --tokenizer /nowhere/t", "\"/nowhere/t\"", "does not exist")]
    [InlineData("cluster status --cluster here", "\"here\"", "HOST:PORT")]
    [InlineData("cluster status --cluster 127.0.0.1:1", "nobody listens at \"127.0.0.1:1\"", "Start a node")]
    [InlineData("chat --cluster 127.0.0.1:1", "nobody listens at \"127.0.0.1:1\"", "--cluster")]
    [InlineData("decode --prompt x --cluster nowhere.invalid:4053", "\"nowhere.invalid:4053\"")]
    [InlineData("init --shape nothing --out /nowhere/o", "\"nothing\"", "\"tiny-scout\"")]
    public async Task Files_and_values_that_are_not_there_are_named(string line, params string[] parts) =>
        (await InProcess.RunAsync(line.Split(' '))).AssertFailed(CommandLine.Failed, parts);

    [Theory]
    [InlineData("--prompt")]
    [InlineData("--prompt-tokens")]
    public async Task An_empty_prompt_is_refused(string option) =>
        (await InProcess.RunAsync(["decode", "--model", ProgramRun.SampleModel, option, ""])).AssertFailed(CommandLine.Failed, "empty");

    [Fact]
    public async Task A_process_says_the_same_and_its_exit_code_tells() =>
        (await ProgramRun.ToEndAsync(["up", "--nodes", "0"])).AssertFailed(CommandLine.WrongUsage, "--nodes is 0");

    [Fact]
    public async Task Help_lists_every_verb()
    {
        var ended = await ProgramRun.ToEndAsync(["--help"]);
        Assert.Equal(0, ended.ExitCode);
        foreach (var verb in new[] { "node", "up", "chat", "decode", "verify", "plan", "tokenize", "init", "cluster" })
            Assert.Contains($" {verb} ", ended.Output, StringComparison.Ordinal);
        Assert.Contains("--version", ended.Output, StringComparison.Ordinal);
        Assert.DoesNotContain('\u001b', ended.Output);
    }

    [Theory]
    [InlineData("node")]
    [InlineData("up")]
    [InlineData("chat")]
    [InlineData("decode")]
    [InlineData("verify")]
    [InlineData("plan")]
    [InlineData("tokenize")]
    [InlineData("init")]
    [InlineData("convert")]
    [InlineData("inspect")]
    [InlineData("diff")]
    [InlineData("checksum")]
    [InlineData("cluster status")]
    [InlineData("cluster save")]
    public async Task Every_verb_has_help(string verb)
    {
        var ended = await InProcess.RunAsync([.. verb.Split(' '), "--help"]);
        Assert.Equal(0, ended.ExitCode);
        Assert.Contains($"actorllama {verb} ", ended.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Version_tells_name_and_version()
    {
        var ended = await ProgramRun.ToEndAsync(["--version"]);
        Assert.Equal(0, ended.ExitCode);
        Assert.Matches(@"^actorllama \d+\.\d+\.\d+\S*\n$", ended.Output);
        Assert.Empty(ended.Error);
    }

    [Fact]
    public async Task Tokenize_writes_one_line_of_ids_per_line()
    {
        var tokenizer = Path.Combine(ProgramRun.SampleModel, "tokenizer.model");
        var encoded = await ProgramRun.ToEndAsync(["tokenize", "--tokenizer", tokenizer], "{\"text\":\"ROMEO: hi\"}\n{\"text\":\"\"}\n");
        Assert.Equal("{\"ids\":[867,58,289,105]}\n{\"ids\":[]}\n", encoded.Output);
        var decoded = await ProgramRun.ToEndAsync(["tokenize", "--tokenizer", tokenizer, "--decode"], encoded.Output);
        Assert.Equal("{\"text\":\"ROMEO: hi\"}\n{\"text\":\"\"}\n", decoded.Output);
        (await ProgramRun.ToEndAsync(["tokenize", "--tokenizer", tokenizer], "{\"ids\":[1]}\n")).AssertFailed(CommandLine.Failed, "line 1", "\"text\"");
    }

    [Fact]
    public async Task Init_writes_a_checkpoint_of_a_shipped_shape_and_refuses_to_write_over_it()
    {
        using var folder = new TemporaryFolder();
        var target = folder.PathOf("scout");
        var ended = await InProcess.RunAsync(["init", "--shape", "tiny-scout", "--seed", "1", "--out", target]);
        Assert.Equal(0, ended.ExitCode);
        Assert.Equal(target + "\n", ended.Output);
        using (var checkpoint = Checkpoints.CheckpointDirectory.Open(target)) Assert.Equal(128, checkpoint.Config.HiddenSize);
        (await InProcess.RunAsync(["init", "--shape", "tiny-scout", "--out", target])).AssertFailed(CommandLine.Failed, target);
    }
}
