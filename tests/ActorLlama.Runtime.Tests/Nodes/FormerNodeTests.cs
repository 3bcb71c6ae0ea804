using System.Runtime.CompilerServices;

namespace ActorLlama.Runtime.Tests.Nodes;

/// <summary>A process whose node was removed starts another in its place: nothing of the former may stay.</summary>
public sealed class FormerNodeTests
{
    private const int Collections = 40;
    private static readonly TimeSpan s_between = TimeSpan.FromMilliseconds(250);

    [Fact]
    public async Task Nothing_of_a_node_that_has_ended_is_kept_while_the_process_goes_on()
    {
        await using var first = await SmallNode.StartAsync("node-1", []);
        var former = await StartAndEndAsync(first.Address);
        for (var i = 0; i < Collections && former.IsAlive; i++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
            await Task.Delay(s_between);
        }

        Assert.False(former.IsAlive, "the actor system of a node that has ended is still in memory");
    }

    /// <summary>A method of its own: no local of the test holds the node.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static async Task<WeakReference> StartAndEndAsync(string seed)
    {
        await using var node = await SmallNode.StartAsync("node-2", [seed]);
        return new WeakReference(node.Actors);
    }
}
