using System.Collections.Immutable;
using System.Diagnostics;
using ActorLlama.Client;
using ActorLlama.Protocol;

namespace ActorLlama.Cli;

/// <summary>Brings a cluster and its sessions to where a fault is to meet them, and says whom it meets there.</summary>
/// <param name="cluster">The nodes.</param>
/// <param name="connection">A client's connection to them.</param>
/// <param name="scenario">Of the sessions.</param>
/// <param name="contact">The address of the node by which the client came in.</param>
/// <param name="random">Draws the moment, and one of several victims.</param>
internal sealed class ChaosAim(LocalCluster cluster, ClusterConnection connection, ChaosScenario scenario, string contact, Random random)
{
    /// <summary>Part of the time until the first token that a fault in prefill may wait: later, too few sessions would be in it still.</summary>
    private const double MostOfPrefill = 0.7;

    /// <summary>How long a load may have gone on.</summary>
    private const int MostIntoLoadMs = 400;

    /// <summary>Just after a kill a question may have gone to the dead, and a load is short: ask again soon.</summary>
    private static readonly TimeSpan s_soon = TimeSpan.FromMilliseconds(300);

    /// <summary>By then every node has offered what it holds.</summary>
    private static readonly TimeSpan s_offered = TimeSpan.FromSeconds(2);

    private static readonly TimeSpan s_reached = TimeSpan.FromSeconds(60);

    /// <summary>Waits for the moment, and makes it where that needs another fault before. Throws <see cref="LocalNodeException"/> when it does not come.</summary>
    /// <param name="fault">The fault that is to come.</param>
    /// <param name="turn">How often it came before.</param>
    /// <param name="streams">The sessions.</param>
    /// <param name="prefill">How long the first token takes when nothing disturbs it.</param>
    /// <param name="cancellation">Ends the waiting.</param>
    public async Task<ChaosMeeting> ReachAsync(
        ChaosFault fault, int turn, ImmutableArray<ChaosStream> streams, TimeSpan prefill, CancellationToken cancellation)
    {
        if (fault.When == ChaosPhase.Prefill) await OpenedAsync(streams, prefill, cancellation);
        else if (turn == 0) await DecodingAsync(streams, cancellation);
        var before = await connection.GetStatusAsync(ClusterWait.Answer, cancellation);
        var (at, utc) = (Stopwatch.GetTimestamp(), DateTime.UtcNow);
        var now = fault.When switch
        {
            ChaosPhase.Replanning => await LostAsync(before, cancellation),
            ChaosPhase.Loading => await LoadingAsync(before, cancellation),
            ChaosPhase.HandOff => await HandedOffAsync(fault.Role, before, cancellation),
            _ => before,
        };
        var victim = ChaosVictim.Of(now, fault.Role, contact, random, turn);
        // A node tells of its sessions with its next offer.
        for (var clock = Stopwatch.StartNew(); victim is null && fault.When != ChaosPhase.Replanning && clock.Elapsed < s_offered;)
        {
            await Task.Delay(50, cancellation);
            now = await LocalCluster.TryGetStatusAsync(connection, cancellation, s_soon) ?? now;
            victim = ChaosVictim.Of(now, fault.Role, contact, random, turn);
        }

        return new(victim?.Node.Name, victim?.Holds ?? "", streams.Count(s => IsIn(fault.When, s, now)), at, utc);
    }

    private async Task OpenedAsync(ImmutableArray<ChaosStream> streams, TimeSpan prefill, CancellationToken cancellation)
    {
        await Task.WhenAll(streams.Select(s => s.Opened)).WaitAsync(s_reached, cancellation);
        using var enough = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        // What was measured may have been slower, as what runs for the first time is.
        Task[] waits = [Task.Delay(prefill * random.NextDouble() * MostOfPrefill, enough.Token), .. streams.Select(s => s.WaitForAsync(1, enough.Token))];
        await Task.WhenAny(waits);
        await enough.CancelAsync();
        await Task.WhenAll(waits).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        cancellation.ThrowIfCancellationRequested();
    }

    private async Task DecodingAsync(ImmutableArray<ChaosStream> streams, CancellationToken cancellation)
    {
        var token = random.Next(scenario.Tokens / 10, scenario.Tokens / 2);
        foreach (var stream in streams) await stream.WaitForAsync(token, cancellation);
    }

    /// <summary>Kills the node of stage 0: how the cluster is before it has a new plan, its nodes those that are left.</summary>
    private async Task<ClusterProtocol.Status> LostAsync(ClusterProtocol.Status before, CancellationToken cancellation)
    {
        var first = KillFirstStage(before);
        await Task.Delay(random.Next(0, 150), cancellation);
        return before with { State = ClusterState.Forming, Nodes = before.Nodes.Remove(first) };
    }

    /// <summary>Kills the node of stage 0: how the cluster is while what that held is loaded elsewhere.</summary>
    private async Task<ClusterProtocol.Status> LoadingAsync(ClusterProtocol.Status before, CancellationToken cancellation)
    {
        _ = KillFirstStage(before);
        return await UntilAsync(now => now.Plan.Epoch > before.Plan.Epoch && now.State is ClusterState.Loading or ClusterState.Ready, "it loads a lost stage", cancellation);
    }

    /// <summary>Has a node drained: how the cluster is while what that holds is loaded elsewhere.</summary>
    private async Task<ClusterProtocol.Status> HandedOffAsync(ChaosRole role, ClusterProtocol.Status before, CancellationToken cancellation)
    {
        var source = ChaosVictim.Of(before, role is ChaosRole.Expert or ChaosRole.LaterStage ? role : ChaosRole.Stage, contact, random);
        if (source is not { Node: var node }) return before;
        await NodeDrain.AskAsync(connection, node.Node.HostAndPort, undo: false, cancellation);
        return await UntilAsync(now => now.State == ClusterState.Rebalancing || now.Nodes.Any(n => n is { IsLeaving: true, Stages.Length: 0, Shards.Length: 0 }), "a node is drained", cancellation);
    }

    private NodeProtocol.Offer KillFirstStage(ClusterProtocol.Status status)
    {
        var first = status.Nodes.Single(n => n.Stages.Any(s => s.Placement is { Pipeline: 0, Index: 0 }));
        cluster.Nodes.Single(n => n.Name == first.Name).Send(LocalNode.SigKill);
        return first;
    }

    private async Task<ClusterProtocol.Status> UntilAsync(Func<ClusterProtocol.Status, bool> isThere, string what, CancellationToken cancellation)
    {
        var clock = Stopwatch.StartNew();
        while (true)
        {
            if (await LocalCluster.TryGetStatusAsync(connection, cancellation, s_soon) is { } now && isThere(now))
            {
                await Task.Delay(random.Next(0, MostIntoLoadMs), cancellation);
                return await LocalCluster.TryGetStatusAsync(connection, cancellation, s_soon) ?? now;
            }

            if (clock.Elapsed > s_reached) throw new LocalNodeException($"Chaos: \"{scenario.Name}\" did not come to where {what} within {s_reached.TotalSeconds} s (logs: {cluster.LogFolder})");
            await Task.Delay(5, cancellation);
        }
    }

    private bool IsIn(ChaosPhase phase, ChaosStream stream, ClusterProtocol.Status status) => !stream.Reading.IsCompleted && phase switch
    {
        ChaosPhase.Prefill => stream is { Count: 0, Ended: 0 },
        ChaosPhase.Loading => status.State == ClusterState.Loading,
        ChaosPhase.HandOff => status.State == ClusterState.Rebalancing,
        _ => stream.Ended > 0 || (stream.Count > 0 && stream.Count < scenario.Tokens),
    };
}

/// <summary>Whom a fault met, and how the sessions were.</summary>
/// <param name="Victim">The node's name; null when none had the role.</param>
/// <param name="Held">What it held, in words.</param>
/// <param name="InPhase">Sessions that were in the phase aimed at.</param>
/// <param name="At">When, on <see cref="Stopwatch"/>'s clock: when the first thing was done to the cluster.</param>
/// <param name="Utc">The same moment.</param>
internal sealed record ChaosMeeting(string? Victim, string Held, int InPhase, long At, DateTime Utc);
