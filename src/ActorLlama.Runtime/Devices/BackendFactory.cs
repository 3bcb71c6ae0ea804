using ActorLlama.Model;
using ActorLlama.Runtime.Configuration;

namespace ActorLlama.Runtime.Devices;

/// <summary>Makes a device's backend. The model above it never knows which one it has.</summary>
internal static class BackendFactory
{
    /// <summary>Throws <see cref="InvalidDataException"/> for a device that does not exist, or cannot hold weights of that type.</summary>
    public static IBackend Create(DeviceOptions device, LlamaConfig config, ModelOptions model) => device.Backend switch
    {
        BackendKind.Torch when model.Weights == WeightType.Int8 => throw new InvalidDataException(
            $"Settings: actorllama.model.weight-dtype is \"int8\", which device \"{device.Name}\" with backend \"torch\" cannot hold. Set it to \"stored\", or the backend to \"cpu\"."),
        BackendKind.Torch => new TorchBackend(
            config, device.Name.StartsWith("cpu", StringComparison.Ordinal) ? "cpu" : device.Name, model.Dtype, deterministic: device.Deterministic),
        _ => new CpuBackend(DeviceIndex(device.Name), device.Threads, model.Dtype, config, model.Weights, model.CopyWeights, device.Processors),
    };

    private static int DeviceIndex(string name) => int.Parse(name.AsSpan(name.IndexOf(':') + 1), System.Globalization.CultureInfo.InvariantCulture);
}
