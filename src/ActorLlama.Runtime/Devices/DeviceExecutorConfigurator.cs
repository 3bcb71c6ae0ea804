using Akka.Configuration;
using Akka.Dispatch;

namespace ActorLlama.Runtime.Devices;

/// <summary>Makes a dispatcher's executor; named in its settings, and created from there.</summary>
internal sealed class DeviceExecutorConfigurator(Config config, IDispatcherPrerequisites prerequisites) : ExecutorServiceConfigurator(config, prerequisites)
{
    public override ExecutorService Produce(string id) => new DeviceExecutor(id, Prerequisites.EventStream);
}
