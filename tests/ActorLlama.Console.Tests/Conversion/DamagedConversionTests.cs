using System.Diagnostics;
using ActorLlama.TestKit;

namespace ActorLlama.Cli.Tests;

/// <summary>Conversions of real processes that are killed, or whose target takes no more: the source stays, nothing half-written is left.</summary>
public sealed class DamagedConversionTests : IDisposable
{
    /// <summary>In a name space of its own: mounts a tmpfs with options $1 at $2, converts $3 into it, prints the exit code and what is left there.</summary>
    private const string InSmallDisk = """
        mount -t tmpfs -o "$1" none "$2" || exit 99
        disk=$2 from=$3; shift 3
        $ACTORLLAMA convert --from "$from" --to "$disk/target" "$@"
        echo "exit $?"; ls -A "$disk"
        """;

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    /// <summary>The short form of the script, which kills 20 times in a larger checkpoint.</summary>
    [Fact]
    public async Task A_killed_conversion_leaves_nothing_that_is_taken_for_a_checkpoint_and_completes()
    {
        var ended = await ShellAsync(["bash", Path.Combine(Shared.RepositoryRoot, "scripts", "chaos-convert.sh"), "--kills", "2", "--from", ProgramRun.SampleModel, "--shard-size", "2MB"]);
        Assert.True(ended.ExitCode == 0, ended.Error);
        Assert.StartsWith("2 kills at random points", ended.LastLine, StringComparison.Ordinal);
    }

    [RootTheory]
    [InlineData("size=10m", "--layout unscanned", "needs 25983360 bytes, the disk has 104")]
    [InlineData("size=60m,nr_inodes=8", "--layout unscanned --shard-size 2MB", "cannot be written: No space left on device", "model-00006-of-00018", "Nothing of it is left")]
    [InlineData("size=60m,ro", "--layout meta", "cannot be made: Read-only file system")]
    public async Task A_disk_that_is_full_or_read_only_is_told_in_one_line_and_nothing_is_left(string mount, string arguments, params string[] parts)
    {
        var before = await SumsAsync();
        var ended = await ShellAsync(["unshare", "--mount", "bash", "-c", InSmallDisk, "bash", mount, _folder.Path, ProgramRun.SampleModel, .. arguments.Split(' ')]);
        Assert.Equal("exit 1\n", ended.Output);
        (ended with { ExitCode = 1 }).AssertFailed(CommandLine.Failed, parts);
        Assert.Equal(before, await SumsAsync());
    }

    private static async Task<string> SumsAsync() => (await ShellAsync(["sha256sum", .. Directory.GetFiles(ProgramRun.SampleModel)])).Output;

    private static async Task<ProgramRun.Ended> ShellAsync(string[] command)
    {
        var info = new ProcessStartInfo(command[0]) { RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false };
        foreach (var argument in command[1..]) info.ArgumentList.Add(argument);
        info.Environment["ACTORLLAMA"] = $"{ProgramPath.DotNet} {ProgramPath.Program}";
        using var process = Process.Start(info)!;
        var (output, error) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        await process.WaitForExitAsync().WaitAsync(TimeSpan.FromMinutes(3));
        return new ProgramRun.Ended(process.ExitCode, await output, await error);
    }
}
