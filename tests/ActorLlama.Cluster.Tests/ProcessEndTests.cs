using System.Collections.Immutable;
using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text.Json;
using ActorLlama.Cli;

namespace ActorLlama.Cluster.Tests;

/// <summary><c>actorllama up</c> as a process of its own: no node outlives it, however it ends.</summary>
public sealed partial class ProcessEndTests
{
    private const int SigTerm = 15;
    private const int SigStop = 19;
    private static readonly TimeSpan s_start = TimeSpan.FromSeconds(90);
    private static readonly TimeSpan s_end = TimeSpan.FromSeconds(20);

    [Fact]
    public async Task No_node_outlives_a_killed_parent_not_even_a_stopped_one_that_is_still_loading()
    {
        using var up = await UpProcess.StartAsync();
        Assert.Equal(0, Signal(up.Nodes[1], SigStop));
        up.Process.Kill();
        await EndedAsync(up);
    }

    [Fact]
    public async Task A_parent_that_is_asked_to_end_ends_with_its_nodes()
    {
        using var up = await UpProcess.StartAsync();
        await up.WaitUntilReadyAsync();
        Assert.Equal(0, Signal(up.Nodes[2], SigStop));
        Assert.Equal(0, Signal(up.Process.Id, SigTerm));
        await EndedAsync(up);
        Assert.Equal(0, up.Process.ExitCode);
    }

    private static async Task EndedAsync(UpProcess up)
    {
        using var timeout = new CancellationTokenSource(s_end);
        await up.Process.WaitForExitAsync(timeout.Token);
        while (up.Nodes.Any(IsAlive))
        {
            Assert.False(timeout.IsCancellationRequested, $"still alive: {string.Join(", ", up.Nodes.Where(IsAlive))}");
            await Task.Delay(50);
        }
    }

    /// <summary>A zombie that nobody reaps is dead.</summary>
    private static bool IsAlive(int pid)
    {
        try
        {
            return File.ReadAllText($"/proc/{pid}/stat") is var stat && stat[stat.LastIndexOf(')') + 2] is not ('Z' or 'X');
        }
        catch (IOException)
        {
            return false;
        }
    }

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int Signal(int pid, int signal);

    private sealed class UpProcess : IDisposable
    {
        private UpProcess(Process process) => Process = process;

        public Process Process { get; }

        public ImmutableArray<int> Nodes { get; private set; } = [];

        public static async Task<UpProcess> StartAsync()
        {
            var info = new ProcessStartInfo(ProgramPath.DotNet)
            {
                ArgumentList = { ProgramPath.Program, "up", "--nodes", "3", "--model", TestCluster.SampleModel, "--json" },
                RedirectStandardOutput = true,
            };
            var up = new UpProcess(Process.Start(info)!);
            try
            {
                var line = await up.ReadLineAsync();
                using var json = JsonDocument.Parse(line);
                up.Nodes = [.. json.RootElement.GetProperty("nodes").EnumerateArray().Select(n => n.GetProperty("pid").GetInt32())];
                Assert.Equal(3, up.Nodes.Count(IsAlive));
                return up;
            }
            catch
            {
                up.Dispose();
                throw;
            }
        }

        public async Task WaitUntilReadyAsync()
        {
            while (!(await ReadLineAsync()).Contains("\"Ready\"", StringComparison.Ordinal)) continue;
        }

        public void Dispose()
        {
            if (!Process.HasExited) Process.Kill();
            foreach (var node in Nodes.Where(IsAlive)) _ = Signal(node, 9);
            Process.Dispose();
        }

        private async Task<string> ReadLineAsync()
        {
            using var timeout = new CancellationTokenSource(s_start);
            return await Process.StandardOutput.ReadLineAsync(timeout.Token) ?? throw new InvalidOperationException("The program ended early.");
        }
    }
}
