using System.Collections.Immutable;
using ActorLlama.Planning.Placement;
using ActorLlama.Planning.Tests.Placement;
using ActorLlama.Planning.Training;
using ActorLlama.Protocol;
using FsCheck.Xunit;

namespace ActorLlama.Planning.Tests.Training;

/// <summary>Devices that come and go.</summary>
public sealed class TrainingPlanPropertyTests
{
    [Property(MaxTest = 60)]
    public void Whatever_comes_and_goes_everything_has_one_owner_evenly_and_no_more_moves_than_must(byte[] changes, byte pieces, byte perDevice)
    {
        var shape = TrainedShapes.Small(experts: 5);
        var options = new TrainingPlanOptions { Pieces = 12 + (pieces % 40), PerDeviceBatchSize = (1 + (perDevice % 7)) * 0.5, MaxTargetLength = 8 };
        ImmutableArray<PlannedDevice> devices = [.. Devices.Nodes(2, Devices.GiB)];
        var plan = Valid(TrainingPlanRules.Plan(shape, devices, options, null, new(1, 1)), devices, shape);
        foreach (var (change, number) in changes.Take(12).Select((c, i) => (c, i + 2)))
        {
            var next = devices.Length > 1 && (change % 2 == 0 || devices.Length > 9)
                ? devices.RemoveAt(change / 2 % devices.Length)
                : devices.Insert(change / 2 % devices.Length, Devices.Device(100 + number, 0, Devices.GiB));
            var after = Valid(TrainingPlanRules.Plan(shape, next, options, plan, new(1, number)), next, shape);
            var moves = TrainingPlanRules.Moves(plan, after);
            var (gone, come) = (plan.Devices.Except(after.Devices).ToHashSet(), after.Devices.Except(plan.Devices).ToHashSet());
            Assert.All(moves, move => Assert.True(gone.Contains(move.From) || come.Contains(move.To), $"{move}"));
            // A device that comes gets its share and no more; one that goes gives what it had.
            Assert.True(moves.Count(m => m.Part == TrainingPart.Piece) <= (options.Pieces / Math.Min(devices.Length, next.Length)) + 1);
            (devices, plan) = (next, after);
        }
    }

    [Property(MaxTest = 40)]
    public void The_order_of_devices_does_not_matter(byte count, int seed)
    {
        var (shape, options) = (TrainedShapes.Small(), new TrainingPlanOptions { PerDeviceBatchSize = 1, MaxTargetLength = 8 });
        var devices = Devices.Gpus(1 + (count % 12), Devices.GiB);
        var shuffled = devices.ToArray();
        new Random(seed).Shuffle(shuffled);
        var one = Valid(TrainingPlanRules.Plan(shape, devices, options, null, new(1, 1)), devices, shape);
        var other = Valid(TrainingPlanRules.Plan(shape, [.. shuffled], options, null, new(1, 1)), devices, shape);
        Sequences.Equal(one.Devices, other.Devices);
        Sequences.Equal(one.Pieces, other.Pieces);
        Sequences.Equal(one.ExpertShards, other.ExpertShards);
        Sequences.Equal(one.Slots, other.Slots);
    }

    private static TrainingPlan Valid(TrainingPlanResult result, ImmutableArray<PlannedDevice> devices, TrainedShape shape)
    {
        var (plan, bytes) = Assert.IsType<TrainingPlanResult.Planned>(result);
        Assert.Equal(devices.Select(d => d.Id).ToHashSet(), plan.Devices.ToHashSet());
        foreach (var owners in new[] { plan.Pieces, plan.ExpertShards, plan.Slots })
        {
            var counts = Enumerable.Range(0, plan.Devices.Length).Select(device => owners.Count(owner => owner == device)).ToList();
            Assert.Equal(owners.Length, counts.Sum());
            Assert.True(counts.Max() - counts.Min() <= 1, string.Join(", ", counts));
        }

        // The ranges of all devices are the parameter, each element once.
        foreach (var elements in new[] { 0L, 1, 7, 640, 3001, 5_000_000_007 })
        {
            var ranges = plan.Devices.SelectMany(device => TrunkPieces.RangesOf(plan, device, elements)).Order().ToList();
            Assert.All(ranges, range => Assert.True(range.Start < range.End));
            Assert.Equal(elements, ranges.Aggregate(0L, (end, range) => range.Start == end ? range.End : -1));
        }

        Assert.Equal(4 * (shape.TrunkElements + (shape.Experts * shape.ExpertElements)), bytes.Sum(b => b.Weights));
        return plan;
    }
}
