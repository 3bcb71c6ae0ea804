using System.Diagnostics;
using ActorLlama.TestKit;

namespace ActorLlama.Cli.Tests;

/// <summary>The program as a process, as a person runs it.</summary>
internal sealed class ProgramRun : IDisposable
{
    private static readonly TimeSpan s_bound = TimeSpan.FromSeconds(120);
    private readonly Process _process;

    private ProgramRun(Process process) => _process = process;

    public int Pid => _process.Id;

    public StreamReader Output => _process.StandardOutput;

    public StreamWriter Input => _process.StandardInput;

    public static string SampleModel => Path.Combine(Shared.RepositoryRoot, "models", "bard");

    public static ProgramRun Start(string[] arguments, IReadOnlyDictionary<string, string>? environment = null)
    {
        // Whoever runs the tests may ignore SIGINT, and children inherit that; a person's shell does not.
        var info = new ProcessStartInfo("/usr/bin/env")
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        };
        foreach (var argument in arguments.Prepend(ProgramPath.Program).Prepend(ProgramPath.DotNet).Prepend("--default-signal=INT")) info.ArgumentList.Add(argument);
        foreach (var (name, value) in environment ?? new Dictionary<string, string>()) info.Environment[name] = value;
        return new ProgramRun(Process.Start(info)!);
    }

    /// <summary>Runs to the end: exit code and both outputs.</summary>
    public static async Task<Ended> ToEndAsync(string[] arguments, string input = "", IReadOnlyDictionary<string, string>? environment = null)
    {
        using var run = Start(arguments, environment);
        await run.Input.WriteAsync(input);
        run.Input.Close();
        return await run.EndAsync();
    }

    public async Task<Ended> EndAsync()
    {
        var output = _process.StandardOutput.ReadToEndAsync();
        var error = _process.StandardError.ReadToEndAsync();
        await _process.WaitForExitAsync().WaitAsync(s_bound);
        return new Ended(_process.ExitCode, await output, await error);
    }

    public void Signal(int signal) => Assert.True(ProcessSignal.TrySend(_process.Id, signal));

    /// <summary>Waits, bounded, until none of the processes runs.</summary>
    public static async Task AllEndAsync(IEnumerable<int> pids, string phase)
    {
        var clock = Stopwatch.StartNew();
        foreach (var pid in pids)
            while (ProcessSignal.IsRunning(pid))
            {
                Assert.True(clock.Elapsed < TimeSpan.FromSeconds(15), $"{phase}: process {pid} still runs after 15 s");
                await Task.Delay(20);
            }
    }

    public void Dispose()
    {
        if (!_process.HasExited) _process.Kill(entireProcessTree: true);
        _process.Dispose();
    }

    /// <summary>How the program ended.</summary>
    internal sealed record Ended(int ExitCode, string Output, string Error)
    {
        public string LastLine => Output.TrimEnd('\n').Split('\n')[^1];

        /// <summary>A clear failure: that exit code, one line on standard error that has all the parts.</summary>
        public void AssertFailed(int exitCode, params string[] parts)
        {
            Assert.True(ExitCode == exitCode, $"exit code {ExitCode}, not {exitCode}: {Error}");
            var line = Assert.Single(Error.TrimEnd('\n').Split('\n'));
            Assert.StartsWith("error: ", line, StringComparison.Ordinal);
            foreach (var part in parts) Assert.Contains(part, line, StringComparison.Ordinal);
        }
    }
}
