using System.Collections.Immutable;
using ActorLlama.Planning.Training;
using ActorLlama.Protocol;
using FsCheck.Xunit;

namespace ActorLlama.Planning.Tests.Training;

public sealed class StepSumsTests
{
    [Property(MaxTest = 200)]
    public void The_sums_are_the_same_bits_however_slots_and_chunks_are_divided(int seed)
    {
        var random = new Random(seed);
        var losses = Enumerable.Range(0, 1 + random.Next(9))
            .Select(slot => new TrainingProtocol.SlotLoss(slot, random.NextDouble() * Math.Pow(10, random.Next(-8, 8)), random.NextDouble(), random.NextDouble(), random.Next(9)))
            .ToImmutableArray();
        var norms = Enumerable.Range(0, 1 + random.Next(40))
            .Select(chunk => new TrainingProtocol.ChunkNorm(chunk, random.NextDouble() * Math.Pow(10, random.Next(-8, 8)))).ToImmutableArray();
        var one = StepSums.Of(3, [Report(0, losses, norms)], losses.Length, norms.Length, 1.0);
        var owners = 1 + random.Next(5);
        var (slotOf, chunkOf) = (losses.Select(_ => random.Next(owners)).ToArray(), norms.Select(_ => random.Next(owners)).ToArray());
        var reports = Enumerable.Range(0, owners)
            .Select(owner => Report(owner, [.. losses.Where((_, i) => slotOf[i] == owner).Reverse()], [.. norms.Where((_, i) => chunkOf[i] == owner).Reverse()])).ToArray();
        random.Shuffle(reports);
        Assert.Equal(one, StepSums.Of(3, reports, losses.Length, norms.Length, 1.0));
    }

    [Fact]
    public void The_gradient_is_divided_by_the_tokens_and_clipped()
    {
        var sums = StepSums.Of(0, [Report(0, [new(0, 12, 2, 0.5, 3), new(1, 5, 1, 0.7, 5)], [new(0, 900), new(1, 700)])], 2, 2, 1.0);
        Assert.Equal(20.0 / 8, sums.LmLoss);
        Assert.Equal((20.0 / 8) + 0.6, sums.Loss);
        Assert.Equal(5, sums.RawNorm);
        Assert.Equal(1.0 / 8 / 5, sums.Factor!.Value, 15);
        Assert.Equal(1, sums.ClippedNorm, 12);
    }

    [Theory]
    [InlineData(6.0, 0.125)]
    [InlineData(5.0, 0.125)]
    [InlineData(null, 0.125)]
    public void A_norm_up_to_the_threshold_is_left_alone(double? threshold, double factor) =>
        Assert.Equal(factor, StepSums.Of(0, [Report(0, [new(0, 1, 0, 0, 8)], [new(0, 1600)])], 1, 1, threshold).Factor!.Value);

    [Fact]
    public void No_tokens_are_no_loss() => Assert.Equal(0, StepSums.Of(0, [Report(0, [new(0, 0, 0, 0, 0)], [new(0, 0)])], 1, 1, 1.0).Loss);

    [Fact]
    public void The_first_tensor_that_is_not_finite_is_named()
    {
        var sums = StepSums.Of(
            4, [Report(0, [new(0, 1, 0, 0, 1)], [new(1, double.NaN)], new(9, "late")), Report(1, [], [new(0, 1)], new(2, "early")), Report(2, [], [])], 1, 2, 1.0);
        Assert.Equal("early", sums.NotFinite);
        Assert.Null(sums.Factor);
    }

    [Theory]
    [InlineData(double.NaN, 1, "loss")]
    [InlineData(double.PositiveInfinity, 1, "loss")]
    [InlineData(1, double.PositiveInfinity, "gradient norm")]
    public void Sums_that_are_not_finite_are_named(double loss, double square, string what)
    {
        var sums = StepSums.Of(0, [Report(0, [new(0, loss, 0, 0, 1)], [new(0, square)])], 1, 1, 1.0);
        Assert.Equal(what, sums.NotFinite);
        Assert.Null(sums.Factor);
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(0, 2)]
    public void A_slot_that_is_missing_or_there_twice_is_an_error(int one, int other)
    {
        var reports = new[] { Report(0, [new(one, 1, 0, 0, 1)], [new(0, 1)]), Report(1, [new(other, 1, 0, 0, 1)], []) };
        Assert.Contains("of step 7 hold slots", Assert.Throws<InvalidDataException>(() => StepSums.Of(7, reports, 2, 1, 1.0)).Message, StringComparison.Ordinal);
    }

    private static TrainingProtocol.Report Report(
        int owner, ImmutableArray<TrainingProtocol.SlotLoss> losses, ImmutableArray<TrainingProtocol.ChunkNorm> norms, TrainingProtocol.BadTensor? bad = null) =>
        new(1, new DeviceId(new NodeId("a", owner), "cpu:0"), new AttemptId(0, 1, 1), losses, norms, bad, [], [], null);
}
