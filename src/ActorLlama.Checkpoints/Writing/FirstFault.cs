using System.Runtime.ExceptionServices;

namespace ActorLlama.Checkpoints;

/// <summary>
/// Parallel work whose fault is that of one thread: several meet the same full disk, and the first tells it; others only gave up because of it.
/// </summary>
internal static class FirstFault
{
    public static void Of(Action work)
    {
        try
        {
            work();
        }
        catch (AggregateException faults)
        {
            ExceptionDispatchInfo.Throw(faults.InnerExceptions.FirstOrDefault(fault => fault is not OperationCanceledException) ?? faults.InnerExceptions[0]);
        }
    }
}
