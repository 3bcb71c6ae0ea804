using System.Collections.Immutable;
using System.Diagnostics;
using System.Text.Json;
using ActorLlama.Runtime;
using ActorLlama.Runtime.Configuration;
using ActorLlama.Training.Actors;

namespace ActorLlama.Node;

/// <summary>The daemon: one node from start to a clean end.</summary>
public static class NodeProgram
{
    private static readonly TimeSpan s_rejoinPause = TimeSpan.FromSeconds(1);

    /// <summary>
    /// Runs a node until <paramref name="stop"/> is cancelled (exit code 0) or the node can no longer serve (1). One that its cluster has removed, because it was frozen
    /// or cut off, starts anew and joins as another. One that was asked to start again does so as a new program in the same process. Bad settings and files are an <see cref="InvalidDataException"/> or <see cref="IOException"/>.
    /// </summary>
    public static async Task<int> RunAsync(NodeArguments arguments, CancellationToken stop)
    {
        ProcessSettings.Apply();
        var options = NodeOptionsReader.Read(HoconFiles.Load(arguments.ConfigFile, arguments.Overrides));
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(stop);
        if (options.EndsWithStandardInput) Lifeline.Hold(ending.Cancel);
        var node = await ActorLlamaNode.StartAsync(options, new TrainingActors());
        while (true)
        {
            string? reason;
            ImmutableArray<string> others;
            await using (node)
            {
                using var telemetry = TelemetryExport.Start(options.Telemetry, node.Name, node.Address);
                foreach (var warning in node.Warnings) await Console.Error.WriteLineAsync($"warning: {warning}");
                if (arguments.Json) WriteJson(node);
                else await Console.Error.WriteLineAsync($"{node.Name} listens at {node.Address}, lane {node.LaneEndpoint.Host}:{node.LaneEndpoint.Port}");
                var stopped = Task.Delay(Timeout.Infinite, ending.Token);
                if (await Task.WhenAny(node.Ended, stopped) == stopped) return 0;
                reason = await node.Ended;
                others = node.Others;
            }

            if (reason is null) OwnProgram.StartAgain(others);
            else if (await RejoinAsync(options, node, reason, ending.Token) is { } next) node = next;
            else if (ending.IsCancellationRequested) return 0;
            else
            {
                await Console.Error.WriteLineAsync($"error: {node.Name} ends: {reason}");
                return 1;
            }
        }
    }

    /// <summary>A new node in its place, or null when it may not join again, or cannot for too long.</summary>
    private static async Task<ActorLlamaNode?> RejoinAsync(NodeOptions options, ActorLlamaNode former, string reason, CancellationToken stop)
    {
        if (former.MayJoinAgainAt.IsEmpty) return null;
        // Never through itself: that would be a cluster of its own.
        var again = options with { Name = former.Name, Cluster = options.Cluster with { Seeds = former.MayJoinAgainAt } };
        var clock = Stopwatch.StartNew();
        while (clock.Elapsed < options.Cluster.RejoinFor && !stop.IsCancellationRequested)
        {
            await Console.Error.WriteLineAsync($"warning: {former.Name}: {reason}; it joins again as a new node");
            try
            {
                return await ActorLlamaNode.StartAsync(again, new TrainingActors());
            }
            catch (InvalidDataException e)
            {
                reason = e.Message;
            }

            await Task.Delay(s_rejoinPause, stop).ContinueWith(_ => { }, TaskScheduler.Default);
        }

        return null;
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
