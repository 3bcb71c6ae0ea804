using System.Collections.Immutable;

namespace ActorLlama.Kernels;

/// <summary>
/// Which processor each compute thread of each device stays on. A device stays within one NUMA node if one has room for it, the one with most room, so that devices spread over
/// the nodes and each reads weights that its own threads have put into near memory. A device that fits no node takes the fullest rooms one after the other.
/// </summary>
public static class ThreadPlacement
{
    /// <summary>A processor for each thread of each device, in the devices' order; none at all when there are more threads than processors.</summary>
    public static ImmutableArray<ImmutableArray<int>> Of(CpuTopology topology, IReadOnlyList<int> threadsOfDevices)
    {
        if (threadsOfDevices.Sum() > topology.Nodes.Sum(node => node.Length)) return [.. threadsOfDevices.Select(_ => ImmutableArray<int>.Empty)];
        var rooms = topology.Nodes.Select(node => new Queue<int>(node)).ToArray();
        var placed = new ImmutableArray<int>[threadsOfDevices.Count];
        // The largest first: small ones fit what is left.
        foreach (var (device, threads) in threadsOfDevices.Index().OrderByDescending(d => d.Item).ThenBy(d => d.Index))
        {
            var processors = ImmutableArray.CreateBuilder<int>(threads);
            while (processors.Count < threads)
            {
                // Of equal rooms the first.
                var room = rooms.MaxBy(r => r.Count)!;
                while (room.Count > 0 && processors.Count < threads) processors.Add(room.Dequeue());
            }

            placed[device] = processors.MoveToImmutable();
        }

        return [.. placed];
    }
}
