using ActorLlama.Model;
using ActorLlama.Runtime.Configuration;

namespace ActorLlama.Runtime.Devices;

/// <summary>Makes a device's backend. The model above it never knows which one it has.</summary>
internal static class BackendFactory
{
    /// <summary>Throws <see cref="InvalidDataException"/> for a device that does not exist.</summary>
    public static IBackend Create(DeviceOptions device, LlamaConfig config, ActivationType activations) => device.Backend switch
    {
        BackendKind.Torch => new TorchBackend(config, device.Name.StartsWith("cpu", StringComparison.Ordinal) ? "cpu" : device.Name, activations),
        _ => new CpuBackend(DeviceIndex(device.Name), device.Threads, activations, config),
    };

    private static int DeviceIndex(string name) => int.Parse(name.AsSpan(name.IndexOf(':') + 1), System.Globalization.CultureInfo.InvariantCulture);
}
