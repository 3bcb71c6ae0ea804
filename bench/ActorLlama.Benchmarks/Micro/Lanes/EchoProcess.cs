using System.Diagnostics;

namespace ActorLlama.Benchmarks.Micro.Lanes;

/// <summary>The far end of an echo: this program once more, as nodes are processes. It lives as long as its input is open.</summary>
internal sealed class EchoProcess : IAsyncDisposable
{
    private static readonly TimeSpan s_bound = TimeSpan.FromSeconds(20);
    private readonly Process _process;

    private EchoProcess(Process process, EchoAddress address) => (_process, Address) = (process, address);

    public EchoAddress Address { get; }

    public static async Task<EchoProcess> StartAsync(EchoKind kind, int bytes, int peerPort, string? certificates = null)
    {
        var start = new ProcessStartInfo(Environment.ProcessPath!) { RedirectStandardInput = true, RedirectStandardOutput = true };
        foreach (var argument in (string[])["echo", $"{kind}", $"{bytes}", $"{peerPort}", .. certificates is null ? Array.Empty<string>() : [certificates]]) start.ArgumentList.Add(argument);
        var process = Process.Start(start) ?? throw new InvalidOperationException($"Echo: {start.FileName} did not start.");
        var line = await process.StandardOutput.ReadLineAsync().WaitAsync(s_bound);
        return line is null
            ? throw new InvalidOperationException($"Echo: the far end of {kind} ended before it listened.")
            : new EchoProcess(process, EchoAddress.Parse(line));
    }

    public async ValueTask DisposeAsync()
    {
        _process.StandardInput.Close();
        using var bound = new CancellationTokenSource(s_bound);
        await _process.WaitForExitAsync(bound.Token);
        _process.Dispose();
    }
}
