using ActorLlama.Checkpoints;
using ActorLlama.Model;
using ActorLlama.TestKit;

namespace ActorLlama.Training.Tests;

public sealed class LocalTrainerTests
{
    private static readonly string Router = ParameterNames.Router(1);

    [SharedFact]
    public void Gradients_of_z_loss_and_load_balance_are_slopes_of_the_loss()
    {
        using var fixture = new TrainingFixture("tiny-maverick");
        var options = TrainingFixture.Options with { ZLossWeight = 1e-2, LoadBalanceWeight = 1 };
        using var trainer = fixture.Train(options);
        var step = trainer.Step(fixture.Batch);
        var gradient = trainer.Gradients.Single(of => of.Name == Router).Data;
        var slopes = Array.ConvertAll(TrainingFixture.Values(gradient), sum => sum / 64);
        var steepest = Array.IndexOf(slopes, slopes.MaxBy(Math.Abs));

        const float move = 1e-3f;
        var slope = (Loss(move) - Loss(-move)) / (2 * move);

        Assert.True(step.Batch is { ZLoss: > 0, LoadBalance: > 0 }, $"{step.Batch}");
        Assert.Equal(step.Loss, step.LmLoss + step.Batch.LoadBalance, 12);
        Assert.True(Math.Abs(slope - slopes[steepest]) < 0.02 * Math.Abs(slope), $"The loss rises by {slope}, its gradient is {slopes[steepest]}.");

        double Loss(float by)
        {
            using var moved = fixture.Train(options, (name, values) =>
            {
                if (name == Router) values[steepest] += by;
            });
            return moved.Evaluate(fixture.Batch).Loss;
        }
    }

    [SharedFact]
    public void Packed_segments_see_nothing_of_each_other()
    {
        using var fixture = new TrainingFixture("tiny-scout");
        var both = fixture.Batch;
        var packed = new TrainingBatch(
            64, both.Inputs, both.Targets, both.Positions, [.. Enumerable.Repeat(1, 32), .. Enumerable.Repeat(2, 32)], both.Counts);
        using var apart = fixture.Train(TrainingFixture.Options);
        using var together = fixture.Train(TrainingFixture.Options);

        StepResult a = apart.Step(both), b = together.Step(packed);

        TrainingFixture.Near(a.Loss, b.Loss, "the loss of packed rows");
        TrainingFixture.Near(a.RawGradNorm, b.RawGradNorm, "their gradient's norm");
    }

    [SharedFact]
    public void Tokens_that_do_not_count_change_nothing_but_the_mean()
    {
        using var fixture = new TrainingFixture("tiny-maverick");
        var all = fixture.Batch;
        var first = new TrainingBatch(32, all.Inputs, all.Targets, all.Positions, all.Segmentation, [.. Enumerable.Range(0, 64).Select(i => i < 32)]);
        var none = new TrainingBatch(32, all.Inputs, all.Targets, all.Positions, all.Segmentation, [.. Enumerable.Repeat(false, 64)]);
        using var trainer = fixture.Train(TrainingFixture.Options);

        Assert.Equal(trainer.Evaluate(all.Take(0)).Loss, trainer.Evaluate(first).Loss);
        var step = trainer.Step(none);
        Assert.Equal((0, 0.0, 0.0), (step.TotalWeights, step.Loss, step.RawGradNorm));
        Assert.Null(step.NotFinite);
    }

    [SharedFact]
    public void What_is_not_finite_is_named_and_nothing_is_applied()
    {
        using var fixture = new TrainingFixture("tiny-maverick");
        var options = TrainingFixture.Options with { LearningRates = new LearningRates(1e-2, 10, WarmupFraction: 0) };
        using var nan = fixture.Train(options, (name, values) =>
        {
            if (name == ParameterNames.FinalNorm) values[3] = float.NaN;
        });
        // Sums of losses are double and hold this, float32 gradients do not.
        using var steep = fixture.Train(options with { ZLossWeight = 1e200 });
        var before = steep.Parameters.ToDictionary(parameter => parameter.Name, parameter => TrainingFixture.Values(parameter.Data));

        Assert.Equal("loss", nan.Step(fixture.Batch).NotFinite);
        var step = steep.Step(fixture.Batch);

        Assert.True(double.IsFinite(step.Loss));
        Assert.Equal(ParameterNames.Embed, step.NotFinite);
        Assert.Equal(0, steep.Updates);
        Assert.All(steep.Parameters, parameter => Assert.True(before[parameter.Name].AsSpan().SequenceEqual(TrainingFixture.Values(parameter.Data)), parameter.Name));
    }

    [SharedTheory]
    [InlineData(ElementType.Float32)]
    [InlineData(ElementType.BFloat16)]
    public void A_fresh_model_learns_in_bfloat16(ElementType weights)
    {
        using var fixture = new TrainingFixture("tiny-maverick");
        var options = TrainingFixture.Options with { Compute = ActivationType.BFloat16, Weights = weights };
        using var trainer = new LocalTrainer(fixture.Config, options, new InitialWeights(fixture.Config, seed: 0).Get);

        var losses = Enumerable.Range(0, 6).Select(_ => trainer.Step(fixture.Batch).Loss).ToList();

        // Random weights know nothing: about ln 512 and what their spread adds.
        Assert.InRange(losses[0], 6.0, 7.5);
        Assert.True(losses[5] < losses[0] - 1, string.Join(", ", losses));
        Assert.All(trainer.Parameters, parameter => Assert.Equal(weights, parameter.Data.Type));
    }

    [SharedFact]
    public void Training_goes_on_from_weights_and_moments_to_the_same_bits()
    {
        using var fixture = new TrainingFixture("tiny-maverick");
        using var whole = fixture.Train(TrainingFixture.Options);
        using var first = fixture.Train(TrainingFixture.Options with { Devices = 2 });
        for (var i = 0; i < 2; i++) first.Step(fixture.Batch);
        var parameters = first.Parameters.ToDictionary(of => of.Name, of => of.Data);
        var moments = first.Moments.ToDictionary(of => of.Name, of => of.Data);

        using var second = new LocalTrainer(
            fixture.Config, TrainingFixture.Options, name => parameters[name],
            name => (moments[LocalTrainer.MeanPrefix + name], moments[LocalTrainer.VariancePrefix + name]), first.Updates);
        for (var i = 0; i < 2; i++) whole.Step(fixture.Batch);

        StepResult expected = whole.Step(fixture.Batch), actual = second.Step(fixture.Batch);
        Assert.Equal((expected.Loss, expected.RawGradNorm, expected.ParamNorm, expected.LearningRate), (actual.Loss, actual.RawGradNorm, actual.ParamNorm, actual.LearningRate));
    }

    [SharedFact]
    public void Devices_own_even_shares_of_the_trunk_and_whole_experts()
    {
        using var fixture = new TrainingFixture("tiny-maverick");
        using var one = fixture.Train(TrainingFixture.Options);
        using var four = fixture.Train(TrainingFixture.Options with { Devices = 4, ExpertShards = 8 });

        Assert.Equal(one.OwnedBytes.Sum(), four.OwnedBytes.Sum());
        Assert.All(four.OwnedBytes.Take(4), bytes => Assert.InRange(bytes, one.OwnedBytes[0] / 4 - 2048, one.OwnedBytes[0] / 4 + 2048));
        Assert.All(four.OwnedBytes.Skip(4), bytes => Assert.Equal(one.OwnedBytes[1] / 8, bytes));
    }
}
