using System.Text.Json;
using ActorLlama.Checkpoints.Testing;
using ActorLlama.TestKit;
using ActorLlama.Text;

namespace ActorLlama.Cli.Tests;

/// <summary><c>convert</c>, <c>inspect</c>, <c>diff</c> and <c>checksum</c> as a person uses them.</summary>
public sealed class CheckpointVerbTests : IDisposable
{
    private const string Meta = "fixtures/tiny-maverick-meta";

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task A_conversion_ends_at_100_percent_and_gives_other_tools_their_tokenizer()
    {
        var ended = await RunAsync($"convert --from {ProgramRun.SampleModel} --to {Target} --layout hf");
        Assert.Equal((0, $"{Target}\n"), (ended.ExitCode, ended.Output));
        Assert.All(ended.Error.TrimEnd('\n').Split('\n'), line => Assert.Matches("^(weights|checksums): .* %$", line));
        Assert.EndsWith(" 100 %\n", ended.Error, StringComparison.Ordinal);
        var (written, source) = (LlamaTokenizer.Load(Path.Combine(Target, "tokenizer.json")), LlamaTokenizer.Load(Path.Combine(ProgramRun.SampleModel, "tokenizer.model")));
        foreach (var text in (string[])["ROMEO: hi\n\nWhat's the matter?", " 12345 ünï文😀", ""]) Assert.Equal(source.Encode(text), written.Encode(text));
        Assert.Equal(0, (await RunAsync($"diff {ProgramRun.SampleModel} {Target}")).ExitCode);
        Assert.Equal(0, (await RunAsync($"checksum {Target}")).ExitCode);
    }

    [Fact]
    public async Task A_file_for_llama_cpp_has_the_tokenizer_inside()
    {
        var source = _folder.PathOf("source");
        Directory.CreateDirectory(source);
        foreach (var name in (string[])["model.safetensors", "tokenizer.model"]) File.CreateSymbolicLink(Path.Combine(source, name), Path.GetFullPath(Path.Combine(ProgramRun.SampleModel, name)));
        // The sample model's chunks are its own; that program has one size for all.
        File.WriteAllText(Path.Combine(source, "config.json"), File.ReadAllText(Path.Combine(ProgramRun.SampleModel, "config.json"))
            .Replace("\"attention_chunk_size\": 128", "\"attention_chunk_size\": 8192", StringComparison.Ordinal).Replace("\"floor_scale\": 512", "\"floor_scale\": 8192", StringComparison.Ordinal));
        var ended = await RunAsync($"convert --from {source} --to {Target} --layout gguf");
        Assert.Equal((0, $"{Target}\n"), (ended.ExitCode, ended.Output));
        var metadata = IndependentGguf.Read(Path.Combine(Target, "model.gguf")).Metadata;
        var tokenizer = LlamaTokenizer.Load(Path.Combine(source, "tokenizer.model"));
        var (tokens, kinds, merges) = (List("tokens"), List("token_type"), List("merges"));
        Assert.Equal((4096, 4096, 4096), (tokens.Count, tokens.Distinct().Count(), kinds.Count));
        Assert.Equal("Ġthe", tokens[tokenizer.Encode(" the").Single()]);
        Assert.Equal("<|begin_of_text|>", tokens[2048]);
        Assert.Equal((2048u, 2049u), (metadata["tokenizer.ggml.bos_token_id"], metadata["tokenizer.ggml.eos_token_id"]));
        Assert.Equal((2048, 1), (kinds.Count(kind => kind is 1), (int)kinds[2047]));
        Assert.Equal((2048 - 256, "Ġ t"), (merges.Count, merges[0]));

        List<object> List(string key) => (List<object>)metadata[$"tokenizer.ggml.{key}"];
    }

    [SharedFact]
    public async Task A_dry_run_prints_the_plan_and_writes_nothing()
    {
        var ended = await RunAsync($"convert --from {Shared.PathOf(Meta)} --to {Target} --layout meta --mp 1 --dtype float32 --model-size tiny-maverick --dry-run");
        Assert.Equal(0, ended.ExitCode);
        Assert.StartsWith("meta to meta, ", ended.Output, StringComparison.Ordinal);
        foreach (var name in (string[])["consolidated.00.pth", "params.json", "config.json", "checkpoint.json"]) Assert.Contains(name, ended.Output, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFileSystemEntries(_folder.Path));
    }

    [SharedFact]
    public async Task A_checkpoint_is_shown_with_its_experts_and_its_tensors_with_their_values()
    {
        var shown = await RunAsync($"inspect {Shared.PathOf(Meta)}");
        Assert.Equal(0, shown.ExitCode);
        foreach (var part in (string[])["layout meta", "checksums: none recorded", "experts", "vision", "consolidated.01.pth"]) Assert.Contains(part, shown.Output, StringComparison.Ordinal);
        // MoE step 2 in 8 layers: a row for layers 1, 3, 5 and 7.
        Assert.Equal(4, shown.Output.Split('\n').Count(line => System.Text.RegularExpressions.Regex.IsMatch(line, @"^ +[1357] +8 +BF16 ")));

        var listed = await RunAsync($"inspect {Shared.PathOf(Meta)} --tensors text.layers.0.attn.* --stats");
        Assert.Equal(4, listed.Output.TrimEnd('\n').Split('\n').Length);
        Assert.All(listed.Output.TrimEnd('\n').Split('\n'), line => Assert.Matches(@"^text\.layers\.0\.attn\.[qkvo]\.weight  BF16 \[\d+,\d+\]  .* min -.* max .* mean .* NaN 0$", line));

        using var json = JsonDocument.Parse((await RunAsync($"inspect {Shared.PathOf(Meta)} --tensors *.router.weight --stats --json")).Output);
        Assert.Equal(4, json.RootElement.GetProperty("tensors").GetArrayLength());
        Assert.Equal(4, json.RootElement.GetProperty("checkpoint").GetProperty("experts").GetArrayLength());
        Assert.Equal(0, json.RootElement.GetProperty("tensors")[0].GetProperty("nan").GetInt64());
    }

    [SharedFact]
    public async Task Files_of_tensors_of_other_types_are_shown_without_statistics()
    {
        var shown = await RunAsync($"inspect {Shared.PathOf(Meta, "expected.safetensors")} --stats");
        Assert.Equal(0, shown.ExitCode);
        Assert.Contains("I64", shown.Output, StringComparison.Ordinal);
        Assert.Contains("no statistics of this type", shown.Output, StringComparison.Ordinal);
    }

    [SharedTheory]
    [InlineData("convert --from SOURCE --to TARGET --layout zip", CommandLine.WrongUsage, "\"zip\"", "unscanned, scanned, hf, meta, gguf")]
    [InlineData("convert --from SOURCE --to TARGET --layout hf --mp 2", CommandLine.WrongUsage, "--mp is for --layout meta")]
    [InlineData("convert --from SOURCE --to TARGET --layout hf --dtype float16", CommandLine.WrongUsage, "\"float16\"", "bfloat16 or float32")]
    [InlineData("convert --from SOURCE --to TARGET --layout hf --shard-size 0", CommandLine.WrongUsage, "--shard-size is \"0\"")]
    [InlineData("convert --from SOURCE --to TARGET --layout gguf --shard-size 1GB", CommandLine.WrongUsage, "--shard-size is not for --layout gguf")]
    [InlineData("convert --from SOURCE --to TARGET --layout gguf", CommandLine.Failed, "llama.cpp", "Choose another layout")]
    [InlineData("convert --from SOURCE --layout hf", CommandLine.WrongUsage, "to")]
    [InlineData("convert --from SOURCE --to TARGET --layout hf --model-size llama4-17b-16e", CommandLine.Failed, "layers", "\"llama4-17b-16e\" has 48")]
    [InlineData("convert --from SOURCE --to TARGET --layout hf --model-size llama4", CommandLine.Failed, "\"llama4\"", "\"llama4-17b-128e\"")]
    [InlineData("convert --from SOURCE --to TARGET --layout meta --mp 5", CommandLine.Failed, "do not divide into 5 shards")]
    [InlineData("convert --from SOURCE --to SOURCE --layout hf --dry-run", CommandLine.Failed, "tiny-maverick\" holds \"", "new or empty folder")]
    [InlineData("convert --from /nowhere --to TARGET --layout hf", CommandLine.Failed, "\"/nowhere\"", "does not exist")]
    [InlineData("inspect SOURCE --tensors text.layer.*", CommandLine.Failed, "matches \"text.layer.*\"", "\"text.embed.weight\"")]
    [InlineData("inspect SOURCE/config.json", CommandLine.Failed, "config.json", "no weight file")]
    [InlineData("diff SOURCE /nowhere", CommandLine.Failed, "\"/nowhere\"", "does not exist")]
    [InlineData("checksum /nowhere", CommandLine.Failed, "\"/nowhere\"", "does not exist")]
    public async Task Mistakes_are_told_in_one_line_and_write_nothing(string line, int exitCode, params string[] parts)
    {
        (await RunAsync(line.Replace("SOURCE", Shared.PathOf("fixtures/tiny-maverick"), StringComparison.Ordinal).Replace("TARGET", Target, StringComparison.Ordinal))).AssertFailed(exitCode, parts);
        Assert.Empty(Directory.GetFileSystemEntries(_folder.Path));
    }

    private string Target => _folder.PathOf("target");

    private static Task<ProgramRun.Ended> RunAsync(string line) => InProcess.RunAsync(line.Split(' '));
}
