using System.Collections.Immutable;
using ActorLlama.Planning.Training;
using FsCheck.Xunit;

namespace ActorLlama.Planning.Tests.Training;

public sealed class GradientLedgerTests
{
    [Property(MaxTest = 200)]
    public void In_whatever_order_gradients_come_each_is_added_once_and_in_slot_order(byte slots, byte parts, int seed)
    {
        var (slotCount, partCount) = (1 + (slots % 7), parts % 5);
        var arrivals = Enumerable.Range(0, partCount).SelectMany(part => Enumerable.Range(0, slotCount).Select(slot => (Part: part, Slot: slot)))
            .SelectMany(gradient => new[] { gradient, gradient }).ToArray();
        var random = new Random(seed);
        random.Shuffle(arrivals);
        var ledger = GradientLedger.Of(slotCount, Enumerable.Range(0, partCount));
        var added = Enumerable.Range(0, partCount).Select(_ => new List<int>()).ToArray();
        var seen = new HashSet<(int, int)>();
        foreach (var gradient in arrivals)
        {
            Assert.Equal(seen.Count == slotCount * partCount, ledger.IsComplete);
            (ledger, var add) = ledger.Take(gradient.Part, gradient.Slot);
            Assert.Equal(seen.Add(gradient), add is not null);
            added[gradient.Part].AddRange(add ?? []);
            Assert.Equal(seen.Count - added.Sum(a => a.Count), ledger.Waiting);
        }

        Assert.True(ledger.IsComplete);
        Assert.All(added, slotsAdded => Assert.Equal(Enumerable.Range(0, slotCount), slotsAdded));
    }

    [Theory]
    [InlineData(2, 0)]
    [InlineData(-1, 0)]
    [InlineData(0, 3)]
    [InlineData(0, -1)]
    public void What_was_not_expected_is_not_taken(int part, int slot)
    {
        var (ledger, add) = GradientLedger.Of(3, [0, 1]).Take(part, slot);
        Assert.Null(add);
        Assert.False(ledger.IsComplete);
    }

    [Fact]
    public void An_owner_of_nothing_has_all_at_once() => Assert.True(GradientLedger.Of(3, ImmutableArray<int>.Empty).IsComplete);
}
