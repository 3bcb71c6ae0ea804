using ActorLlama.Training.Data;
using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;

namespace ActorLlama.Training.Tests.Data;

public sealed class ShuffleTests
{
    [Property(MaxTest = 200)]
    public Property An_order_has_each_place_once() => Prop.ForAll(Gen.Choose(1, 3000).ToArbitrary(), Gen.Choose(-5, 5).ToArbitrary(), Gen.Choose(0, 3).ToArbitrary(), (count, seed, epoch) =>
    {
        var order = new Shuffle(count, seed, epoch);
        return Enumerable.Range(0, count).Select(i => order[i]).Order().SequenceEqual(Enumerable.Range(0, count).Select(i => (long)i)).ToProperty();
    });

    [Fact]
    public void Orders_differ_by_seed_and_epoch_and_follow_no_line()
    {
        long[] Order(int seed, long epoch) => [.. Enumerable.Range(0, 1000).Select(i => new Shuffle(1000, seed, epoch)[i])];
        long[][] orders = [Order(0, 0), Order(0, 1), Order(1, 0), Order(-1, 0)];
        foreach (var (a, i) in orders.Select((order, i) => (order, i)))
        {
            foreach (var b in orders.Skip(i + 1)) Assert.InRange(a.Zip(b).Count(pair => pair.First == pair.Second), 0, 12);
            // Places and what stands there are uncorrelated: |r| is below 0.1 in all but 1 of 600 orders drawn evenly.
            var r = a.Select((value, at) => (value - 499.5) * (at - 499.5)).Sum() / (1000.0 * (1000.0 * 1000 - 1) / 12);
            Assert.InRange(r, -0.1, 0.1);
        }
    }

    [Fact]
    public void An_order_of_billions_takes_no_memory()
    {
        var order = new Shuffle(5_000_000_000, 7, 3);
        Assert.Equal(1000, Enumerable.Range(0, 1000).Select(i => order[4_999_999_000 + i]).Distinct().Count());
        Assert.All(Enumerable.Range(0, 1000), i => Assert.InRange(order[i], 0, 4_999_999_999));
    }
}
