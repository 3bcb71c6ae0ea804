using System.Diagnostics;
using Akka.Actor;

namespace ActorLlama.Runtime.Devices;

/// <summary>
/// An actor that computes on its device's thread: the device's pulse shows it, and the time it takes there is told to <paramref name="spent"/>, in
/// stopwatch ticks.
/// </summary>
internal abstract class DeviceWorker(NodeDevice device, Action<long> spent) : UntypedActor
{
    protected override bool AroundReceive(Receive receive, object message)
    {
        var start = Stopwatch.GetTimestamp();
        device.Pulse.Begin(start);
        try
        {
            return base.AroundReceive(receive, message);
        }
        finally
        {
            var end = Stopwatch.GetTimestamp();
            device.Pulse.End(end);
            spent(end - start);
        }
    }
}
