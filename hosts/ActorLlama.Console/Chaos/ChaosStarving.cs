using System.Collections.Immutable;
using System.Diagnostics;
using ActorLlama.Client;
using ActorLlama.Planning.Placement;

namespace ActorLlama.Cli;

/// <summary>A node's process gets next to no more memory than it has, for a while, and a burst of sessions comes that needs more. They must get their tokens as well.</summary>
/// <param name="load">The burst.</param>
/// <param name="connection">To the cluster.</param>
/// <param name="tell">Told what happens, in lines.</param>
internal sealed class ChaosStarving(ChaosLoad load, ClusterConnection connection, Action<string> tell)
{
    /// <summary>Too little for a piece of a KV cache or for the rows of a long prompt; enough for what a runtime needs now and then.</summary>
    private const long RoomBytes = 256 << 10;

    private const int Seed = 1;
    private static readonly TimeSpan s_poll = TimeSpan.FromMilliseconds(50);

    /// <summary>How long a device that holds nothing any more may take to give back what its last batches had.</summary>
    private static readonly TimeSpan s_rest = TimeSpan.FromSeconds(10);

    /// <summary>What was not as it must be with the burst, in words.</summary>
    public async Task<ImmutableArray<string>> RunAsync(LocalNode victim, TimeSpan time, CancellationToken cancellation)
    {
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var streams = await BurstAsync(victim, time, ending);
        using var once = new CancellationTokenSource();
        var ended = await ChaosLoad.EndedAsync(streams, once, ending);
        cancellation.ThrowIfCancellationRequested();
        // Not before: the devices would have had the memory then.
        var undisturbed = load.Open(Seed, cancellation);
        await Task.WhenAll(undisturbed.Select(s => s.Reading)).WaitAsync(ChaosLoad.LongestEnd, cancellation);
        var faults = ended ? [] : ImmutableArray.Create("sessions of the burst have not ended");
        return [.. faults, .. streams.Zip(undisturbed).SelectMany((s, i) => Broken(i, s.First, s.Second)), .. await LeftAsync(victim, cancellation)];
    }

    /// <summary>What batches that had no memory have left behind on a node that is planned around.</summary>
    private async Task<IEnumerable<string>> LeftAsync(LocalNode victim, CancellationToken cancellation)
    {
        var clock = Stopwatch.StartNew();
        while (true)
        {
            var status = await LocalCluster.TryGetStatusAsync(connection, cancellation);
            var held = status?.Nodes.FirstOrDefault(n => n is { Stages.Length: 0, Shards.Length: 0 } && n.Name == victim.Name)?.Counters;
            if (status is not null && held is null or { LivePayloads: 0, LiveActivations: 0, KvBytes: 0 }) return [];
            if (clock.Elapsed > s_rest) return [$"{victim.Name} serves nothing and has {held?.LivePayloads} payloads, {held?.LiveActivations} tensors and {held?.KvBytes} bytes of KV cache left"];
            await Task.Delay(s_poll, cancellation);
        }
    }

    private async Task<ImmutableArray<ChaosStream>> BurstAsync(LocalNode victim, TimeSpan time, CancellationTokenSource ending)
    {
        var memory = new ProcessMemory(victim.Pid);
        var clock = Stopwatch.StartNew();
        var first = memory.Bytes + RoomBytes;
        var most = first;
        if (!memory.Limit(most)) return [];
        try
        {
            var streams = load.Open(Seed, ending.Token);
            while (clock.Elapsed < time && !victim.HasExited)
            {
                await Task.Delay(s_poll, ending.Token);
                // What it gives back others take.
                if (memory.Bytes is > 0 and var held && held + RoomBytes < most) memory.Limit(most = held + RoomBytes);
            }

            tell($"{victim.Name} had no more than {ByteText.Of(first)}, in the end {ByteText.Of(most)}, for {clock.Elapsed.TotalSeconds:0.0} s and {(victim.HasExited ? "ended" : "went on")}");
            return streams;
        }
        finally
        {
            memory.Release();
        }
    }

    private static IEnumerable<string> Broken(int session, ChaosStream stream, ChaosStream undisturbed)
    {
        if (stream.Failure is { } failure) yield return $"session {session} of the burst failed after {stream.Count} tokens: {failure}";
        if (undisturbed.Failure is { } other) yield return $"session {session} of the burst failed when nothing disturbed it: {other}";
        if (ChaosInvariants.Difference(undisturbed.Answers[^1], stream.Answers[^1]) is { } difference) yield return $"session {session} of the burst: {difference}";
    }
}
