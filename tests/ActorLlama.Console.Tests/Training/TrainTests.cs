using System.Text.Json;
using ActorLlama.TestKit;

namespace ActorLlama.Cli.Tests;

/// <summary><c>train</c> as a person uses it, in one process.</summary>
public sealed class TrainTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    /// <summary>The command that MaxText documents, after our program's name, on a small shape.</summary>
    [Fact]
    public async Task The_documented_pre_training_command_makes_five_finite_steps_that_learn()
    {
        var metrics = _folder.PathOf("metrics.jsonl");
        var ended = await InProcess.RunAsync(
        [
            "train", .. Documented(), $"metrics_file={metrics}", "learning_rate=1e-3",
        ]);
        Assert.True(ended.ExitCode == 0, ended.Error);
        var lines = ended.Output.TrimEnd('\n').Split('\n');
        Assert.Matches(@"^number parameters: 0\.00\d billion$", lines[0]);
        Assert.Equal("Per train step:", lines[1]);
        Assert.Matches(@"^ Total TFLOPs: \d+\.\d\d $", lines[2]);
        Assert.Matches(@"^ split as \d+\.\d\d% learnable weight flops and \d+\.\d\d% attention flops$", lines[3]);
        Assert.Equal(9, lines.Length);
        foreach (var step in Enumerable.Range(0, 5))
            Assert.Matches(
                $@"^completed step: {step}, seconds: [\d.]+, TFLOP/s/device: [\d.]+, Tokens/s/device: [\d.]+, total_weights: 1024, loss: [\d.]+, lm_loss: [\d.]+, perplexity: [\d.]+, moe_lb_loss: 0\.000000$",
                lines[4 + step]);
        var losses = File.ReadAllLines(metrics).Select(line => JsonDocument.Parse(line).RootElement.GetProperty("learning/loss").GetDouble()).ToArray();
        Assert.True(losses.Length == 5 && losses.All(double.IsFinite) && losses[^1] < losses[0], string.Join(' ', losses));
        Assert.False(Directory.Exists(_folder.PathOf("runs", "matmul_pre_training", "checkpoints")));
    }

    /// <summary>The same command over three node processes, on shorter sequences.</summary>
    [Fact]
    public async Task The_documented_command_learns_over_three_processes()
    {
        var metrics = _folder.PathOf("metrics.jsonl");
        var ended = await InProcess.RunAsync(
        [
            "train", "--nodes", "3", .. Documented().Select(pair => pair == "max_target_length=1024" ? "max_target_length=32" : pair), $"metrics_file={metrics}", "learning_rate=1e-3",
        ]);
        Assert.True(ended.ExitCode == 0, ended.Error);
        Assert.Matches(@"completed step: 4, seconds: [\d.]+, TFLOP/s/device: [\d.]+, Tokens/s/device: [\d.]+, total_weights: 96, loss: [\d.]+", ended.Output);
        Assert.Matches(@"the run begins: step 0 is next, on 3 devices\nof the devices' time \d+ % went to computing \(trunk \d+ %, experts \d+ %, head \d+ %, sums \d+ %, update \d+ %\), \d+ % to exchange, \d+ % to waiting\n$", ended.Error);
        var losses = File.ReadAllLines(metrics).Select(line => JsonDocument.Parse(line).RootElement.GetProperty("learning/loss").GetDouble()).ToArray();
        Assert.True(losses.Length == 5 && losses.All(double.IsFinite) && losses[^1] < losses[0], string.Join(' ', losses));
    }

    [Fact]
    public async Task A_model_too_large_for_this_process_is_planned_and_refused()
    {
        var ended = await InProcess.RunAsync(["train", .. Documented().Where(pair => !pair.StartsWith("model_name=", StringComparison.Ordinal)), "model_name=llama4-17b-128e"]);
        Assert.Equal(CommandLine.Failed, ended.ExitCode);
        Assert.Matches(@"^llama4-17b-128e: 746\.\d GiB of weights, .* of gradients, .* of moments\nnode-1 cpu:0: needs .* GiB, has .* GiB, .* GiB are missing\nit would fit on \d+ devices of 80\.0 GiB, .*\n$", ended.Output);
        Assert.StartsWith("error: Training plan: \"llama4-17b-128e\" does not fit", ended.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Text_is_trained_on_saved_with_its_tokenizer_and_gone_on_with()
    {
        // Any text will do that gives the 480 entries of the shape's vocabulary.
        var (text, tokenizer) = (Path.Combine(Shared.RepositoryRoot, "README.md"), _folder.PathOf("tokenizer.model"));
        Assert.Equal(0, (await InProcess.RunAsync(["tokenizer", "train", "--text", text, "--size", "480", "--out", tokenizer])).ExitCode);
        string[] line =
        [
            "train", "model_name=tiny-maverick", "dataset_type=text", $"dataset_path={text}", $"tokenizer_path={tokenizer}", $"base_output_directory={_folder.PathOf("runs")}",
            "run_name=words", "per_device_batch_size=2", "max_target_length=32", "checkpoint_period=1000", "eval_interval=2", "eval_steps=1", "dtype=float32",
            "learning_rate_schedule_steps=3",
        ];
        var first = await InProcess.RunAsync([.. line, "steps=2"]);
        Assert.True(first.ExitCode == 0, first.Error);
        Assert.Contains("starting with fresh weights\n", first.Error, StringComparison.Ordinal);
        Assert.Contains("Completed eval after train step 1, loss=", first.Output, StringComparison.Ordinal);

        var second = await InProcess.RunAsync([.. line, "steps=3", "packing=false"]);
        Assert.True(second.ExitCode == 0, second.Error);
        Assert.Contains($"going on with step 2 from {Path.Combine(_folder.PathOf("runs", "words"), "checkpoints", "1", "items")}\n", second.Error, StringComparison.Ordinal);
        Assert.Contains("the data are not those the run began with: packing was true\n", second.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("completed step: 1,", second.Output, StringComparison.Ordinal);
        Assert.Contains("completed step: 2,", second.Output, StringComparison.Ordinal);

        var saved = _folder.PathOf("runs", "words", "checkpoints", "2", "items");
        Assert.Equal(File.ReadAllBytes(tokenizer), File.ReadAllBytes(Path.Combine(saved, "tokenizer.model")));
        Assert.Equal(0, (await InProcess.RunAsync(["checksum", saved])).ExitCode);
        Assert.Equal(0, (await InProcess.RunAsync(["plot", _folder.PathOf("runs", "words")])).ExitCode);
        var decoded = await InProcess.RunAsync(["decode", "--model", saved, "--prompt", "actors", "--max-tokens", "4"]);
        Assert.True(decoded.ExitCode == 0, decoded.Error);
    }

    [Theory]
    [InlineData("stepz=5", 2, "Did you mean steps?")]
    [InlineData("capacity_factor=1", 1, "capacity_factor is 1")]
    [InlineData("dataset_type=grain", 1, "dataset_type is \"grain\"")]
    [InlineData("model_name=llama5", 1, "\"llama5\" is neither a shape nor a file")]
    [InlineData("per_device_batch_size=0.5", 1, "which on 1 devices is 0.5 sequences")]
    public async Task What_cannot_be_is_told_in_one_line(string change, int exitCode, string fault)
    {
        var name = change[..(change.IndexOf('=') + 1)];
        var ended = await InProcess.RunAsync(["train", .. Documented().Where(pair => !pair.StartsWith(name, StringComparison.Ordinal)), change]);
        Assert.Equal(exitCode, ended.ExitCode);
        Assert.Contains(fault, ended.Error, StringComparison.Ordinal);
    }

    private IEnumerable<string> Documented() => TrainRulesTests.Documented.Replace("=out ", $"={_folder.PathOf("runs")} ", StringComparison.Ordinal).Split(' ');
}
