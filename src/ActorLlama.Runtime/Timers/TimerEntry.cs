using Akka.Dispatch;

namespace ActorLlama.Runtime.Timers;

/// <summary>What is to run at some time.</summary>
/// <param name="Action">Run on the scheduler's thread.</param>
/// <param name="Interval">After how much time again; zero: it runs once.</param>
/// <param name="Cancellation">Once cancelled it does not run any more.</param>
internal sealed record TimerEntry(IRunnable Action, TimeSpan Interval, CancellationToken Cancellation)
{
    public bool IsCancelled => Cancellation.IsCancellationRequested;
}
