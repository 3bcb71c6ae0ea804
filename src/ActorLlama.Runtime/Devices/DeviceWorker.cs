using System.Diagnostics;
using Akka.Actor;

namespace ActorLlama.Runtime.Devices;

/// <summary>An actor that computes on its device's thread; the time it takes there is told to <paramref name="spent"/>, in stopwatch ticks.</summary>
internal abstract class DeviceWorker(Action<long> spent) : UntypedActor
{
    protected override bool AroundReceive(Receive receive, object message)
    {
        var start = Stopwatch.GetTimestamp();
        try
        {
            return base.AroundReceive(receive, message);
        }
        finally
        {
            spent(Stopwatch.GetTimestamp() - start);
        }
    }
}
