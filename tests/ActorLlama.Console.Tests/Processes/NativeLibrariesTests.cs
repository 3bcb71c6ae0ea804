using ActorLlama.TestKit;

namespace ActorLlama.Cli.Tests;

/// <summary>Verbs that do not compute start without libtorch: the loader's own trace says which libraries a run opened.</summary>
[Collection(ClusterCollection.Name)]
public sealed class NativeLibrariesTests(ClusterFixture cluster)
{
    [Theory]
    [InlineData("cluster status --json")]
    [InlineData("decode --prompt ROMEO: --max-tokens 2")]
    [InlineData("chat")]
    public async Task Verbs_that_attach_to_a_cluster_load_no_libtorch(string line)
    {
        var libraries = await LoadedAsync([.. line.Split(' '), "--cluster", cluster.Address], "");
        Assert.Contains("libcoreclr.so", libraries, StringComparison.Ordinal);
        Assert.DoesNotContain("torch", libraries, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task Plan_loads_no_libtorch()
    {
        var libraries = await LoadedAsync(["plan", "--model", ProgramRun.SampleModel, "--devices", "1GiB"], "");
        Assert.Contains("libcoreclr.so", libraries, StringComparison.Ordinal);
        Assert.DoesNotContain("torch", libraries, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task Tokenize_loads_no_libtorch()
    {
        var libraries = await LoadedAsync(["tokenize", "--tokenizer", Path.Combine(ProgramRun.SampleModel, "tokenizer.model")], "{\"text\":\"a\"}\n");
        Assert.Contains("libcoreclr.so", libraries, StringComparison.Ordinal);
        Assert.DoesNotContain("torch", libraries, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task Init_loads_no_libtorch()
    {
        using var folder = new TemporaryFolder();
        var libraries = await LoadedAsync(["init", "--shape", "tiny-maverick", "--out", folder.PathOf("m")], "");
        Assert.Contains("libcoreclr.so", libraries, StringComparison.Ordinal);
        Assert.DoesNotContain("torch", libraries, StringComparison.OrdinalIgnoreCase);
    }

    private static async Task<string> LoadedAsync(string[] arguments, string input)
    {
        using var folder = new TemporaryFolder();
        var trace = folder.PathOf("trace");
        var ended = await ProgramRun.ToEndAsync(arguments, input, new Dictionary<string, string> { ["LD_DEBUG"] = "files", ["LD_DEBUG_OUTPUT"] = trace });
        Assert.True(ended.ExitCode == 0, ended.Error);
        return string.Concat(Directory.GetFiles(folder.Path).Select(File.ReadAllText));
    }
}
