using ActorLlama.Model;
using ActorLlama.Runtime.Configuration;

namespace ActorLlama.Runtime.Devices;

/// <summary>
/// One device of this node: its backend, which the device's one thread uses, the dispatcher that is this thread, and the thread that reads its files.
/// </summary>
internal sealed record NodeDevice(DeviceOptions Options, IBackend Backend, string Dispatcher, DeviceLoader Loader) : IDisposable
{
    public DevicePulse Pulse { get; } = new(Options.StuckAfter);

    /// <summary>Ends the reading first: it fills what the backend owns, which stays where a disk hangs.</summary>
    public void Dispose()
    {
        Loader.Dispose();
        if (Loader.HasEnded) Backend.Dispose();
    }

    /// <summary>The dispatcher's settings: one thread, one message at a time.</summary>
    public static string DispatcherHocon(int index, int? processor = null) =>
        $$"""
        {{DispatcherName(index)}} {
          type = Dispatcher
          executor = "{{typeof(DeviceExecutorConfigurator).AssemblyQualifiedName}}"
          throughput = 1
          {{(processor is { } own ? $"{DeviceExecutorConfigurator.Processor} = {own}" : "")}}
        }
        """;

    public static string DispatcherName(int index) => $"actorllama-device-{index}";
}
