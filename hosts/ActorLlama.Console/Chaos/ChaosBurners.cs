using System.Diagnostics;

namespace ActorLlama.Cli;

/// <summary>As many processes that do nothing but count as the machine has cores. They end when disposed, or with us.</summary>
internal sealed class ChaosBurners : IDisposable
{
    private const string Count = "while kill -0 $1 2>/dev/null; do i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; done";

    private readonly Process[] _burning =
        [.. Enumerable.Range(0, Environment.ProcessorCount).Select(_ => Process.Start(new ProcessStartInfo("/bin/sh", ["-c", Count, "sh", $"{Environment.ProcessId}"]))!)];

    public void Dispose()
    {
        foreach (var process in _burning)
        {
            process.Kill();
            process.Dispose();
        }
    }
}
