using System.Collections.Immutable;

namespace ActorLlama.Kernels.Tests;

/// <summary>The trees are what Linux shows on machines of these kinds, only the files that are read.</summary>
public sealed class ThreadPlacementTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("topology-").FullName;

    public void Dispose() => Directory.Delete(_root, recursive: true);

    /// <summary>Two sockets of four cores, two threads a core: the second threads are numbered after all first ones.</summary>
    [Fact]
    public void Of_two_sockets_with_two_threads_a_core_each_node_has_one_thread_of_each_core_first()
    {
        TwoSockets();
        Assert.Equal(["0,1,2,3,8,9,10,11", "4,5,6,7,12,13,14,15"], Lines(CpuTopology.Read(_root, [.. Enumerable.Range(0, 16)])));
    }

    [Fact]
    public void Only_processors_that_the_process_may_use_count_and_a_node_without_any_is_left_out()
    {
        TwoSockets();
        // taskset -c 4-6,8,12-15: of core 4 both threads, of core 7 the second alone.
        Assert.Equal(["8", "4,5,6,15,12,13,14"], Lines(CpuTopology.Read(_root, [4, 5, 6, 8, 12, 13, 14, 15])));
        Assert.Equal(["4,12"], Lines(CpuTopology.Read(_root, [4, 12])));
    }

    /// <summary>Neighbouring numbers share a core there, and node 1 has memory only.</summary>
    [Fact]
    public void Siblings_may_be_neighbours_and_a_node_may_have_no_processors()
    {
        Write("node/node0/cpulist", "0-7\n");
        Write("node/node1/cpulist", "\n");
        Write("node/node10/cpulist", "8-11\n");
        Write("node/node2/cpulist", "12-15\n");
        Write("node/online", "0-2,10\n");
        for (var cpu = 0; cpu < 16; cpu++) Write($"cpu/cpu{cpu}/topology/thread_siblings_list", $"{cpu / 2 * 2}-{cpu / 2 * 2 + 1}\n");
        Assert.Equal(["0,2,4,6,1,3,5,7", "12,14,13,15", "8,10,9,11"], Lines(CpuTopology.Read(_root, [.. Enumerable.Range(0, 16)])));
    }

    [Fact]
    public void A_system_without_NUMA_is_one_node_and_one_that_tells_nothing_has_none()
    {
        Assert.Empty(CpuTopology.Read(_root, [0, 1]).Nodes);
        Write("cpu/online", "0-3\n");
        Assert.Equal(["0,1,3"], Lines(CpuTopology.Read(_root, [0, 1, 3])));
    }

    [Theory]
    [InlineData("0-")]
    [InlineData("a")]
    [InlineData("1-2-3")]
    public void A_list_that_is_none_is_refused_with_what_to_do(string list)
    {
        Write("node/node0/cpulist", list);
        Assert.Contains("placement", Assert.Throws<InvalidDataException>(() => CpuTopology.Read(_root, [0])).Message);
    }

    [Theory]
    // A device for each socket.
    [InlineData("4,4", "0,1,2,3", "4,5,6,7")]
    [InlineData("8,8", "0,1,2,3,8,9,10,11", "4,5,6,7,12,13,14,15")]
    // Four devices: two for each, one after the other.
    [InlineData("2,2,2,2", "0,1", "4,5", "2,3", "6,7")]
    // The large one gets a whole node, though it comes last.
    [InlineData("3,8", "4,5,6", "0,1,2,3,8,9,10,11")]
    // More than a node has: both.
    [InlineData("10", "0,1,2,3,8,9,10,11,4,5")]
    // A device without threads of ours.
    [InlineData("0,2", "", "0,1")]
    // More than there are: nowhere.
    [InlineData("8,9", "", "")]
    public void Devices_spread_over_nodes_and_stay_within_one_where_they_fit(string threads, params string[] expected)
    {
        TwoSockets();
        var topology = CpuTopology.Read(_root, [.. Enumerable.Range(0, 16)]);
        Assert.Equal(expected, ThreadPlacement.Of(topology, [.. threads.Split(',').Select(int.Parse)]).Select(Line));
    }

    [Fact]
    public void No_processor_is_given_twice_and_a_device_leaves_its_node_only_when_none_has_room()
    {
        var random = new Random(1);
        for (var round = 0; round < 2000; round++)
        {
            var next = 0;
            var nodes = Enumerable.Range(0, random.Next(1, 5)).Select(_ => Enumerable.Range(next, random.Next(1, 9)).Select(_ => next++).ToImmutableArray()).ToImmutableArray();
            int[] threads = [.. Enumerable.Range(0, random.Next(1, 5)).Select(_ => random.Next(1, 9))];
            var placed = ThreadPlacement.Of(new CpuTopology(nodes), threads);
            if (threads.Sum() > next)
            {
                Assert.All(placed, processors => Assert.Empty(processors));
                continue;
            }

            Assert.Equal(threads, placed.Select(processors => processors.Length));
            Assert.Equal(threads.Sum(), placed.SelectMany(p => p).Distinct().Count());
            var largest = Array.IndexOf(threads, threads.Max());
            if (nodes.Any(node => node.Length >= threads[largest])) Assert.Contains(nodes, node => placed[largest].All(node.Contains));
        }
    }

    [Fact]
    public void A_thread_stays_where_it_is_kept_and_a_team_s_threads_each_on_their_own()
    {
        var allowed = ProcessorAffinity.OfThisThread();
        Assert.NotEmpty(allowed);
        Assert.NotEmpty(CpuTopology.OfThisMachine().Nodes);
        IReadOnlyList<int>[] seen = new IReadOnlyList<int>[2];
        int[] own = [allowed[0], allowed[^1]];
        using (var team = new ThreadTeam(2, own))
        using (var together = new Barrier(2))
            team.For(2, (_, thread) =>
            {
                seen[thread] = ProcessorAffinity.OfThisThread();
                together.SignalAndWait(TimeSpan.FromSeconds(30));
            });
        Assert.Equal(allowed, seen[0]);
        Assert.Equal([own[1]], seen[1]);
    }

    private void TwoSockets()
    {
        Write("node/node0/cpulist", "0-3,8-11\n");
        Write("node/node1/cpulist", "4-7,12-15\n");
        for (var cpu = 0; cpu < 16; cpu++) Write($"cpu/cpu{cpu}/topology/thread_siblings_list", $"{cpu % 8},{cpu % 8 + 8}\n");
    }

    private void Write(string path, string text)
    {
        var file = Path.Combine(_root, path);
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        File.WriteAllText(file, text);
    }

    private static IEnumerable<string> Lines(CpuTopology topology) => topology.Nodes.Select(Line);

    private static string Line(ImmutableArray<int> processors) => string.Join(',', processors);
}
