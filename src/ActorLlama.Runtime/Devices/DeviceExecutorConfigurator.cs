using Akka.Configuration;
using Akka.Dispatch;

namespace ActorLlama.Runtime.Devices;

/// <summary>Makes a dispatcher's executor; named in its settings, and created from there.</summary>
internal sealed class DeviceExecutorConfigurator(Config config, IDispatcherPrerequisites prerequisites) : ExecutorServiceConfigurator(config, prerequisites)
{
    /// <summary>The key of a dispatcher's settings with the processor that its thread stays on; absent: any.</summary>
    public const string Processor = "processor";

    public override ExecutorService Produce(string id) =>
        new DeviceExecutor(id, Prerequisites.EventStream, Config.HasPath(Processor) ? Config.GetInt(Processor) : null);
}
