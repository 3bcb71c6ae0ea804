using System.Text.Json;
using ActorLlama.Runtime;
using ActorLlama.Runtime.Configuration;

namespace ActorLlama.Node;

/// <summary>The daemon: one node from start to a clean end.</summary>
public static class NodeProgram
{
    /// <summary>
    /// Runs a node until <paramref name="stop"/> is cancelled (exit code 0) or the node can no longer serve (1). Bad settings and files are
    /// an <see cref="InvalidDataException"/> or <see cref="IOException"/>.
    /// </summary>
    public static async Task<int> RunAsync(NodeArguments arguments, CancellationToken stop)
    {
        ProcessSettings.Apply();
        var options = NodeOptionsReader.Read(HoconFiles.Load(arguments.ConfigFile, arguments.Overrides));
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(stop);
        if (options.EndsWithStandardInput) Lifeline.Hold(ending.Cancel);
        await using var node = await ActorLlamaNode.StartAsync(options);
        foreach (var warning in node.Warnings) await Console.Error.WriteLineAsync($"warning: {warning}");
        if (arguments.Json) WriteJson(node);
        else await Console.Error.WriteLineAsync($"{node.Name} listens at {node.Address}, lane {node.LaneEndpoint.Host}:{node.LaneEndpoint.Port}");
        var stopped = Task.Delay(Timeout.Infinite, ending.Token);
        if (await Task.WhenAny(node.Failed, stopped) == stopped) return 0;
        await Console.Error.WriteLineAsync($"error: {node.Name} ends: {await node.Failed}");
        return 1;
    }

    private static void WriteJson(ActorLlamaNode node)
    {
        Console.Out.WriteLine(JsonSerializer.Serialize(new
        {
            name = node.Name,
            pid = Environment.ProcessId,
            address = node.Address,
            lane = $"{node.LaneEndpoint.Host}:{node.LaneEndpoint.Port}",
        }));
        Console.Out.Flush();
    }
}
