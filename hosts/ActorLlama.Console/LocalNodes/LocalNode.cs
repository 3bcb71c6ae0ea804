using System.Collections.Immutable;
using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace ActorLlama.Cli;

/// <summary>
/// One node process, started by this one and ended with it. Its standard input is its lifeline, its standard output tells its address,
/// its standard error is its log.
/// </summary>
internal sealed partial class LocalNode : IAsyncDisposable
{
    public const int SigKill = 9;
    public const int SigContinue = 18;
    public const int SigStop = 19;
    private const int SigTerm = 15;
    private static readonly TimeSpan s_orderlyEnd = TimeSpan.FromSeconds(8);
    private readonly Process _process;

    private LocalNode(Process process, string name, string log) =>
        (_process, Name, Log, Pid, Exited) = (process, name, log, process.Id, process.WaitForExitAsync());

    public string Name { get; }

    public int Pid { get; }

    /// <summary>The path of its log.</summary>
    public string Log { get; }

    /// <summary>Its cluster address, the last if it had several; "" until <see cref="WaitForAddressAsync"/> has returned.</summary>
    public string Address { get; private set; } = "";

    /// <summary>Ends when the process has.</summary>
    public Task Exited { get; }

    public bool HasExited => _process.HasExited;

    public static async Task<LocalNode> StartAsync(
        ChildThread children, string name, string configFile, IEnumerable<string> settings, string log, ImmutableArray<string> prefix)
    {
        // The shell gives the log its file and then becomes the node: same pid, and nothing of ours to pump.
        var info = new ProcessStartInfo("/bin/sh") { RedirectStandardInput = true, RedirectStandardOutput = true, UseShellExecute = false };
        string[] line =
        [
            "-c", "log=$1; shift; exec \"$@\" 2>\"$log\"", "sh", log, .. prefix,
            ProgramPath.DotNet, ProgramPath.Program, "node", "--config", configFile, "--json", .. settings,
        ];
        foreach (var argument in line) info.ArgumentList.Add(argument);
        return new LocalNode(await children.StartAsync(info), name, log);
    }

    /// <summary>Waits until the node has told its address. Throws <see cref="LocalNodeException"/> when it ends first.</summary>
    public async Task WaitForAddressAsync(CancellationToken cancellation)
    {
        while (Address.Length == 0)
        {
            if (await _process.StandardOutput.ReadLineAsync(cancellation) is not { } line)
            {
                await Exited.WaitAsync(cancellation);
                throw Fault();
            }

            Take(line);
        }

        _ = FollowAsync();
    }

    /// <summary>Why the node ended unasked, from its log.</summary>
    public LocalNodeException Fault()
    {
        var lines = File.Exists(Log) ? File.ReadAllLines(Log) : [];
        var reason = lines.LastOrDefault(l => l.StartsWith("error: ", StringComparison.Ordinal))?["error: ".Length..]
            ?? lines.LastOrDefault(l => l.Length > 0)
            ?? $"it ended with exit code {_process.ExitCode} and said nothing.";
        return new LocalNodeException($"{Name}: {reason} (log: {Log})");
    }

    /// <summary>Sends the process a signal; without effect when it has ended.</summary>
    public void Send(int signal)
    {
        if (!_process.HasExited) _ = Signal(Pid, signal);
    }

    /// <summary>Asks the node to end, waits a bounded time, then kills it.</summary>
    public async Task StopAsync()
    {
        Send(SigTerm);
        try
        {
            await Exited.WaitAsync(s_orderlyEnd);
        }
        catch (TimeoutException)
        {
            _process.Kill();
            await Exited;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        _process.Dispose();
    }

    /// <summary>A node that joins again as a new one tells its new address.</summary>
    private async Task FollowAsync()
    {
        while (await _process.StandardOutput.ReadLineAsync() is { } line) Take(line);
    }

    /// <summary>While its actor system starts or ends, Akka may say something there too.</summary>
    private void Take(string line)
    {
        if (line.StartsWith('{')) Address = AddressIn(line);
    }

    private static string AddressIn(string line)
    {
        using var json = JsonDocument.Parse(line);
        return json.RootElement.GetProperty("address").GetString() ?? "";
    }

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int Signal(int pid, int signal);
}
