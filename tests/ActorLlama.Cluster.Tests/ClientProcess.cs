using System.Collections.Immutable;
using System.Diagnostics;
using System.Text.Json;
using ActorLlama.Cli;
using ActorLlama.TestKit;

namespace ActorLlama.Cluster.Tests;

/// <summary><c>actorllama decode</c> as a process of its own, attached to a cluster: a client that can be killed and stopped.</summary>
internal sealed class ClientProcess : IDisposable
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);
    private readonly Process _process;

    private ClientProcess(Process process) => _process = process;

    /// <summary>Starts it and waits for its first token.</summary>
    public static async Task<ClientProcess> StartAsync(string cluster, ImmutableArray<int> prompt, int maxTokens)
    {
        string[] arguments =
        [
            ProgramPath.Program, "decode", "--cluster", cluster, "--prompt-tokens", string.Join(',', prompt), "--max-tokens", $"{maxTokens}",
            "--temperature", "0", "--json",
        ];
        var client = new ClientProcess(Process.Start(new ProcessStartInfo(ProgramPath.DotNet, arguments) { RedirectStandardOutput = true })!);
        try
        {
            client.Ids.Add(await client.ReadAsync() ?? throw new InvalidOperationException("decode ended without a token"));
            return client;
        }
        catch
        {
            client.Dispose();
            throw;
        }
    }

    public List<int> Ids { get; } = [];

    public void Signal(int signal) => Assert.True(ProcessSignal.TrySend(_process.Id, signal));

    public async Task ReadToEndAsync()
    {
        while (await ReadAsync() is { } id) Ids.Add(id);
    }

    public void Dispose()
    {
        if (!_process.HasExited) _process.Kill();
        _process.Dispose();
    }

    /// <summary>The next token, or null at the end.</summary>
    private async Task<int?> ReadAsync()
    {
        var line = await _process.StandardOutput.ReadLineAsync().WaitAsync(s_patience);
        if (line is null) return null;
        using var json = JsonDocument.Parse(line);
        return json.RootElement.TryGetProperty("id", out var id) ? id.GetInt32() : null;
    }
}
