using System.Collections.Immutable;
using ActorLlama.Client;

namespace ActorLlama.Cli;

/// <summary>Does what a fault says.</summary>
/// <param name="cluster">The nodes.</param>
/// <param name="network">Their hosts, where they have some.</param>
/// <param name="connection">To the cluster.</param>
/// <param name="burst">The sessions that come with a fault that brings some.</param>
internal sealed class ChaosDeeds(LocalCluster cluster, ChaosNetwork? network, ClusterConnection connection, Func<ChaosFault, ChaosLoad> burst)
{
    private static readonly TimeSpan s_moved = TimeSpan.FromSeconds(60);

    /// <summary>Begins at once; ends when the fault does. Returns what of it was not as it must be, in words.</summary>
    /// <param name="fault">What is done.</param>
    /// <param name="node">The number, from 0, of the node that it is done to.</param>
    /// <param name="tell">Told what happens, in lines.</param>
    /// <param name="cancellation">Ends it.</param>
    public async Task<ImmutableArray<string>> DoAsync(ChaosFault fault, int node, Action<string> tell, CancellationToken cancellation)
    {
        var victim = cluster.Nodes[node];
        switch (fault.Do)
        {
            case ChaosDeed.Kill:
                victim.Send(LocalNode.SigKill);
                await victim.Exited;
                break;
            case ChaosDeed.Freeze:
                victim.Send(LocalNode.SigStop);
                await Task.Delay(fault.ForMs, cancellation);
                victim.Send(LocalNode.SigContinue);
                break;
            case ChaosDeed.Cut:
                await network!.PlugAsync(node, isPlugged: false, cancellation);
                await Task.Delay(fault.ForMs, cancellation);
                await network.PlugAsync(node, isPlugged: true, cancellation);
                break;
            case ChaosDeed.Stall:
                await StallAsync(node, fault.ForMs, cancellation);
                break;
            case ChaosDeed.Starve:
                return await new ChaosStarving(burst(fault), connection, tell).RunAsync(victim, TimeSpan.FromMilliseconds(fault.ForMs), cancellation);
            case ChaosDeed.Drain:
                await NodeDrain.AskAsync(connection, victim.Name, undo: false, cancellation);
                await NodeDrain.WaitAsync(connection, victim.Name, s_moved, _ => { }, cancellation);
                await NodeDrain.AskAsync(connection, victim.Name, undo: true, cancellation);
                break;
            case ChaosDeed.Roll:
                var roll = new RollingRestart(connection, s_moved, tell);
                await roll.RunAsync([.. (await roll.CheckAsync(cancellation)).Select(o => o.Node.Node)], cancellation);
                break;
            case ChaosDeed.Scale:
                return await new ChaosScaling(cluster, connection, tell).RunAsync(cancellation);
            case ChaosDeed.Burn:
                using (new ChaosBurners()) await Task.Delay(fault.ForMs, cancellation);
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(fault), fault.Do, "Chaos: no single deed.");
        }

        return [];
    }

    private async Task StallAsync(int node, int forMs, CancellationToken cancellation)
    {
        var ports = (await connection.GetStatusAsync(ClusterWait.Answer, cancellation)).Nodes.ToLookup(n => n.Name == cluster.Nodes[node].Name, n => n.Lane.Port);
        await network!.StallAsync(node, ports[true].Single(), ports[false], isStalled: true, cancellation);
        await Task.Delay(forMs, cancellation);
        await network.StallAsync(node, ports[true].Single(), ports[false], isStalled: false, cancellation);
    }
}
