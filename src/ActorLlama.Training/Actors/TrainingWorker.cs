using ActorLlama.Protocol;
using ActorLlama.Runtime.Devices;
using ActorLlama.Runtime.Nodes;
using Akka.Actor;

namespace ActorLlama.Training.Actors;

/// <summary>An actor that trains on its device's thread. Between two messages of any of them the device waits.</summary>
internal abstract class TrainingWorker(NodeContext node, NodeDevice device, PhaseClock clock) : DeviceWorker(device, node.Gauges.AddStageTime)
{
    protected PhaseClock Clock => clock;

    protected override bool AroundReceive(Receive receive, object message)
    {
        using var phase = clock.Enter(StepPhase.Trunk);
        return base.AroundReceive(receive, message);
    }
}
