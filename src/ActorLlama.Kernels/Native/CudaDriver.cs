using System.Runtime.InteropServices;
using System.Text;

namespace ActorLlama.Kernels;

/// <summary>What NVIDIA's driver says of a GPU; libtorch's binding does not ask. GPUs are counted as libtorch counts them, from 0 among those that the process may see.</summary>
public static partial class CudaDriver
{
    private const string Library = "libcuda.so.1";

    /// <summary>Its product name and memory in bytes; null where there is no driver or no such GPU.</summary>
    public static (string Name, long MemoryBytes)? Describe(int gpu)
    {
        if (!NativeLibrary.TryLoad(Library, out _) || Init(0) != 0 || Get(out var device, gpu) != 0) return null;
        var name = new byte[256];
        return Name(name, name.Length, device) == 0 && TotalMemory(out var bytes, device) == 0
            ? (Encoding.ASCII.GetString(name.AsSpan(0, name.AsSpan().IndexOf((byte)0))), (long)bytes)
            : null;
    }

    [LibraryImport(Library, EntryPoint = "cuInit")]
    private static partial int Init(uint flags);

    [LibraryImport(Library, EntryPoint = "cuDeviceGet")]
    private static partial int Get(out int device, int ordinal);

    [LibraryImport(Library, EntryPoint = "cuDeviceGetName")]
    private static partial int Name(byte[] name, int length, int device);

    [LibraryImport(Library, EntryPoint = "cuDeviceTotalMem_v2")]
    private static partial int TotalMemory(out nuint bytes, int device);
}
