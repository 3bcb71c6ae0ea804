using ActorLlama.Planning.Sessions;
using ActorLlama.Protocol;
using FsCheck;
using FsCheck.Xunit;

namespace ActorLlama.Planning.Tests.Sessions;

public sealed class SessionPropertyTests
{
    [Property(MaxTest = 100, EndSize = 1_000_000)]
    public void The_client_sees_the_undisturbed_stream_whatever_is_lost_repeated_reordered_or_killed(NonNegativeInt seed)
    {
        var world = new SessionWorld(seed.Get, new()
        {
            FailAfterMs = 1_000_000,
            MaxSubmits = 1_000_000,
            MaxFailures = 1_000_000,
            WindowTokens = 1 + (seed.Get % 7),
            StreamMs = 15 * (seed.Get % 4),
            StallMs = 1500,
        })
        {
            Noise = 0.02 * (seed.Get % 10),
            Deaths = 0.002 * (seed.Get % 3),
        };
        while (world.Now < 20_000 && world.Client.Finished is null)
            world.Step();
        world.Noise = world.Deaths = 0;
        while (world.Now < 120_000 && (world.Client.Finished is null || !world.SessionIsGone))
            world.Step();

        var expected = world.Expected();
        Assert.Equal(expected, world.Client.Ids);
        Assert.Equal(string.Concat(expected.Select(id => $"<{id}>")), world.Client.Text);
        Assert.Equal((world.ExpectedReason(), null), (world.Client.Finished?.Reason, world.Client.Finished?.Error));
        Assert.True(world.SessionIsGone, "The session is still there.");
    }

    [Property(MaxTest = 60, EndSize = 1_000_000)]
    public void A_session_whose_pipeline_is_lost_for_good_fails_within_its_bound_with_right_tokens(NonNegativeInt seed)
    {
        var options = new SessionOptions { FailAfterMs = 5000, StallMs = 1500 };
        var world = new SessionWorld(seed.Get, options);
        var lostMs = seed.Get % 1500;
        while (world.Now < lostMs)
            world.Step();
        if (seed.Get % 2 == 0)
            world.KillScheduler(forGood: true);
        else
            world.PipelineIsSilent = true;
        while (world.Now < lostMs + options.FailAfterMs + options.StallMs + 1000 && world.Client.Finished is null)
            world.Step();

        var expected = world.Expected();
        Assert.NotNull(world.Client.Finished);
        Assert.Equal(expected.Take(world.Client.Ids.Count), world.Client.Ids);
        if (world.Client.Finished.Reason == FinishReason.Failed)
            Assert.Contains($"after {world.Client.Ids.Count} tokens", world.Client.Finished.Error, StringComparison.Ordinal);
        else
            Assert.Equal(expected, world.Client.Ids);
    }

    [Property]
    public void Delays_grow_to_their_bound_and_stay_in_its_upper_half(NonNegativeInt failures, NonNegativeInt seed)
    {
        var backOff = new BackOff(100, 2000);
        var ceiling = Math.Min(2000, 100 * Math.Pow(2, failures.Get));
        Assert.InRange(backOff.DelayMs(failures.Get, new Random(seed.Get)), ceiling / 2, ceiling);
    }
}
