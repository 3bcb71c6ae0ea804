using ActorLlama.Checkpoints;

namespace ActorLlama.Cli.Tests;

public sealed class ProgressLinesTests
{
    private readonly StringWriter _output = new();
    private readonly Clock _clock = new();

    [Fact]
    public void Lines_come_by_tenths_a_second_apart_and_the_last_ends_at_100_percent()
    {
        var lines = new ProgressLines(_output, _clock);
        for (var done = 0; done <= 1000; done++)
        {
            lines.Report("weights", new WriteProgress(done * 1024L, 1000 * 1024L));
            _clock.Now += TimeSpan.FromMilliseconds(4);
        }
        Assert.Equal(
            """
            weights: 250.0 KiB of 1000.0 KiB, 250.0 KiB/s, 3 s left, 25 %
            weights: 500.0 KiB of 1000.0 KiB, 250.0 KiB/s, 2 s left, 50 %
            weights: 750.0 KiB of 1000.0 KiB, 250.0 KiB/s, 1 s left, 75 %
            weights: 1000.0 KiB in 4.0 s, 250.0 KiB/s, 100 %

            """,
            _output.ToString());
    }

    [Fact]
    public void Each_phase_ends_at_100_percent_however_short_it_is()
    {
        var lines = new ProgressLines(_output, _clock);
        lines.Report("weights", new WriteProgress(10, 10));
        lines.Report("weights", new WriteProgress(10, 10));
        lines.Report("checksums", new WriteProgress(0, 0));
        Assert.Equal(["weights", "checksums"], _output.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line.Split(':')[0]));
        Assert.EndsWith(" 100 %\n", _output.ToString(), StringComparison.Ordinal);
    }

    private sealed class Clock : TimeProvider
    {
        public TimeSpan Now { get; set; }

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => Now.Ticks;
    }
}
