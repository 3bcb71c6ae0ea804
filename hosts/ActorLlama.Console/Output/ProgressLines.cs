using System.Globalization;
using ActorLlama.Checkpoints;
using ActorLlama.Planning.Placement;

namespace ActorLlama.Cli;

/// <summary>
/// Progress where no bar can be drawn: a line each tenth, at most one a second, and always one at 100 %. Called by any thread, by one at a time.
/// </summary>
internal sealed class ProgressLines(TextWriter output, TimeProvider time)
{
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    private string? _phase;
    private long _began, _told;
    private long _tenth;

    /// <summary>Takes note of how far a phase is; phases come one after the other.</summary>
    public void Report(string phase, WriteProgress done)
    {
        if (phase != _phase) (_phase, _began, _told, _tenth) = (phase, time.GetTimestamp(), time.GetTimestamp(), 0);
        var tenth = done.TotalBytes == 0 ? 10 : (long)(10 * (done.WrittenBytes / (double)done.TotalBytes));
        if (tenth <= _tenth || (tenth < 10 && time.GetElapsedTime(_told) < Pause)) return;
        (_tenth, _told) = (tenth, time.GetTimestamp());
        output.WriteLine(Line(phase, done, time.GetElapsedTime(_began).TotalSeconds));
    }

    private static string Line(string phase, WriteProgress done, double seconds)
    {
        var rate = done.WrittenBytes / Math.Max(seconds, 1e-3);
        var (total, speed) = (ByteText.Of(done.TotalBytes), ByteText.Of((long)rate));
        return done.WrittenBytes >= done.TotalBytes
            ? string.Create(CultureInfo.InvariantCulture, $"{phase}: {total} in {seconds:0.0} s, {speed}/s, 100 %")
            : string.Create(
                CultureInfo.InvariantCulture,
                $"{phase}: {ByteText.Of(done.WrittenBytes)} of {total}, {speed}/s, {(done.TotalBytes - done.WrittenBytes) / Math.Max(rate, 1):0} s left, {100 * done.WrittenBytes / done.TotalBytes} %");
    }
}
