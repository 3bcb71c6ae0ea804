using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using ActorLlama.TestKit;

namespace ActorLlama.Cli.Tests;

/// <summary><c>up</c> and <c>node</c> as processes: their lines, their ends, and that nothing is left.</summary>
public sealed class UpTests
{
    [Theory]
    [InlineData(ProcessSignal.Terminate, "node-1", "node-2", "node-3")]
    [InlineData(ProcessSignal.Interrupt, "node-1", "node-2")]
    [InlineData(ProcessSignal.Kill, "node-1", "node-2")]
    public async Task Up_tells_addresses_and_states_and_leaves_no_process_whatever_ends_it(int signal, params string[] names)
    {
        using var logs = new TemporaryFolder();
        using var up = ProgramRun.Start(["up", "--nodes", $"{names.Length}", "--model", ProgramRun.SampleModel, "--logs", logs.Path, "--json"]);
        var first = await LineAsync(up);
        var nodes = first.GetProperty("nodes").EnumerateArray().ToArray();
        Assert.Equal(names, nodes.Select(n => n.GetProperty("name").GetString()!));
        Assert.Equal(nodes[0].GetProperty("address").GetString(), first.GetProperty("address").GetString());
        Assert.Equal(names.Length, nodes.Select(n => n.GetProperty("address").GetString()).Distinct().Count());
        var states = new List<string>();
        while (states.LastOrDefault() != "Ready") states.Add((await LineAsync(up)).GetProperty("state").GetString()!);
        Assert.Equal(states.Distinct(), states);

        up.Signal(signal);
        var ended = await up.EndAsync();
        if (signal != ProcessSignal.Kill) Assert.True(ended.ExitCode == 0, ended.Error);
        await ProgramRun.AllEndAsync(nodes.Select(n => n.GetProperty("pid").GetInt32()), $"after signal {signal}");
        Assert.Equal(names.Length, Directory.GetFiles(logs.Path, "node-*.log").Length);
    }

    [Fact]
    public async Task A_checkpoint_that_cannot_be_opened_ends_up_with_the_reason_and_the_log()
    {
        using var folder = new TemporaryFolder();
        var model = folder.PathOf("model");
        Directory.CreateDirectory(model);
        foreach (var file in Directory.GetFiles(ProgramRun.SampleModel)) File.Copy(file, Path.Combine(model, Path.GetFileName(file)));
        using (var weights = File.OpenWrite(Path.Combine(model, "model.safetensors"))) weights.SetLength(weights.Length / 2);
        var ended = await ProgramRun.ToEndAsync(["up", "--nodes", "2", "--model", model, "--logs", folder.PathOf("logs"), "--json"]);
        ended.AssertFailed(CommandLine.Failed, "node-1", "model.safetensors", folder.PathOf("logs", "node-1.log"));
        Assert.Empty(ended.Output);
    }

    [Fact]
    public async Task A_node_with_a_device_that_does_not_exist_says_which_and_ends() => (await ProgramRun.ToEndAsync(
            ["node", "--config", ProgramFiles.Config("local-1.conf"), $"actorllama.model.path=\"{ProgramRun.SampleModel}\"", "actorllama.node.devices=[\"cuda:99\"]"]))
        .AssertFailed(CommandLine.Failed, "cuda:99");

    [Theory]
    [InlineData("actorllama.model.pth=x", "pth")]
    [InlineData("actorllama.model.path=\"/nowhere/m\"", "/nowhere/m")]
    [InlineData("actorllama.model.dtype=float64", "float64")]
    [InlineData("nonsense", "nonsense")]
    public async Task A_node_with_a_wrong_setting_says_which_and_ends(string setting, string part) =>
        (await InProcess.RunAsync(["node", "--config", ProgramFiles.Config("local-1.conf"), $"actorllama.model.path=\"{ProgramRun.SampleModel}\"", setting]))
            .AssertFailed(CommandLine.Failed, part);

    [Fact]
    public async Task A_port_in_use_is_named()
    {
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        var port = ((IPEndPoint)taken.LocalEndpoint).Port;
        var ended = await ProgramRun.ToEndAsync(
            ["node", "--config", ProgramFiles.Config("local-1.conf"), $"actorllama.model.path=\"{ProgramRun.SampleModel}\"", $"actorllama.cluster.port={port}"]);
        ended.AssertFailed(CommandLine.Failed, $":{port}", "actorllama.cluster.port");
    }

    private static async Task<JsonElement> LineAsync(ProgramRun run)
    {
        var line = await run.Output.ReadLineAsync().WaitAsync(TimeSpan.FromSeconds(60));
        Assert.True(line is not null, "up ended");
        using var json = JsonDocument.Parse(line!);
        return json.RootElement.Clone();
    }
}
