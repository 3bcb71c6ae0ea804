using System.Globalization;
using ActorLlama.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace ActorLlama.Model;

/// <summary>Names of devices: "cpu" or "cpu:N" (a share of the processor), "cuda:N".</summary>
public static class TorchDevices
{
    /// <summary>Throws <see cref="InvalidDataException"/> naming the device and those that exist when there is no such device.</summary>
    public static void Check(string device) => Find(device);

    /// <summary>Sets how many threads libtorch's operations on the CPU use, for the whole process.</summary>
    public static void LimitThreads(int threads)
    {
        TorchRuntime.EnsureLoaded();
        set_num_threads(threads);
    }

    /// <summary>Memory of "cuda:N" in bytes; null for others, and where there is no such GPU.</summary>
    public static long? MemoryOf(string device) =>
        device.Split(':') is ["cuda", var index] && int.TryParse(index, NumberStyles.None, CultureInfo.InvariantCulture, out var gpu) ? CudaDriver.Describe(gpu)?.MemoryBytes : null;

    /// <summary>What must be equal for equal sums: "CPU", or a GPU's product name.</summary>
    internal static string KindOf(Device device) =>
        device.type == DeviceType.CUDA ? CudaDriver.Describe(device.index)?.Name ?? throw new InvalidDataException($"Device: the driver says nothing of cuda:{device.index}. Update it.") : "CPU";

    internal static Device Find(string device)
    {
        TorchRuntime.EnsureLoaded();
        var parts = device.Split(':');
        var index = 0;
        var isNamed = parts.Length == 1 || (parts.Length == 2 && int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out index));
        if (isNamed && parts[0] == "cpu") return CPU;
        var gpus = cuda.is_available() ? cuda.device_count() : 0;
        if (isNamed && parts[0] == "cuda" && index < gpus) return new Device(DeviceType.CUDA, index);
        var exist = gpus switch { 0 => "cpu", 1 => "cpu and cuda:0", _ => $"cpu and cuda:0 to cuda:{gpus - 1}" };
        throw new InvalidDataException($"Device: \"{device}\" does not exist; this program finds {exist}. Change the device's name in the node's configuration.");
    }
}
