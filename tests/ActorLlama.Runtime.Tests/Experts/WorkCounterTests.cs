using ActorLlama.Protocol;
using ActorLlama.Runtime.Experts;

namespace ActorLlama.Runtime.Tests.Experts;

public sealed class WorkCounterTests
{
    [Fact]
    public void Rows_are_counted_by_MoE_layer_and_expert()
    {
        var work = new WorkCounter([false, true, false, true], first: 4, experts: 2);
        work.Add(1, [4, 4, 5]);
        work.Add(3, [5]);
        work.Add(3, [5, 4]);
        Assert.Equal<long>([2, 1, 1, 2], work.ByExpert());
        Assert.Equal(6, work.Rows);
    }

    [Fact]
    public void A_shard_with_too_many_counters_reports_their_sum_only()
    {
        var work = new WorkCounter([.. Enumerable.Repeat(true, 129)], first: 0, experts: NodeProtocol.MaxExpertCounters / 128);
        work.Add(0, [3, 3]);
        Assert.Empty(work.ByExpert());
        Assert.Equal(2, work.Rows);
    }
}
