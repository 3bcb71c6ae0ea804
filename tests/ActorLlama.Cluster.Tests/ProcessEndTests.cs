using System.Collections.Immutable;
using System.Diagnostics;
using System.Text.Json;
using ActorLlama.Cli;
using ActorLlama.TestKit;

namespace ActorLlama.Cluster.Tests;

/// <summary><c>actorllama up</c> as a process of its own: no node outlives it, however it ends.</summary>
public sealed class ProcessEndTests
{
    private static readonly TimeSpan s_start = TimeSpan.FromSeconds(90);
    private static readonly TimeSpan s_end = TimeSpan.FromSeconds(20);

    [Fact]
    public async Task No_node_outlives_a_killed_parent_not_even_a_stopped_one_that_is_still_loading()
    {
        using var up = await UpProcess.StartAsync();
        Assert.True(ProcessSignal.TrySend(up.Nodes[1], ProcessSignal.Stop));
        up.Process.Kill();
        await EndedAsync(up);
    }

    [Fact]
    public async Task A_parent_that_is_asked_to_end_ends_with_its_nodes()
    {
        using var up = await UpProcess.StartAsync();
        await up.WaitUntilReadyAsync();
        Assert.True(ProcessSignal.TrySend(up.Nodes[2], ProcessSignal.Stop));
        Assert.True(ProcessSignal.TrySend(up.Process.Id, ProcessSignal.Terminate));
        await EndedAsync(up);
        Assert.Equal(0, up.Process.ExitCode);
    }

    private static async Task EndedAsync(UpProcess up)
    {
        using var timeout = new CancellationTokenSource(s_end);
        await up.Process.WaitForExitAsync(timeout.Token);
        while (up.Nodes.Any(ProcessSignal.IsRunning))
        {
            Assert.False(timeout.IsCancellationRequested, $"still alive: {string.Join(", ", up.Nodes.Where(ProcessSignal.IsRunning))}");
            await Task.Delay(50);
        }
    }

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
                Assert.Equal(3, up.Nodes.Count(ProcessSignal.IsRunning));
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
            foreach (var node in Nodes.Where(ProcessSignal.IsRunning)) _ = ProcessSignal.TrySend(node, ProcessSignal.Kill);
            Process.Dispose();
        }

        private async Task<string> ReadLineAsync()
        {
            using var timeout = new CancellationTokenSource(s_start);
            return await Process.StandardOutput.ReadLineAsync(timeout.Token) ?? throw new InvalidOperationException("The program ended early.");
        }
    }
}
