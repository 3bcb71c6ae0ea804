using System.Reflection;
using System.Runtime.InteropServices;
using System.Runtime.Loader;
using TorchSharp;

namespace ActorLlama.Kernels;

/// <summary>Loads libtorch. Nothing else in the solution does, so a program that never calls this never loads it.</summary>
public static class TorchRuntime
{
    private const string ImportName = "LibTorchSharp", FileName = "libLibTorchSharp.so", CuredName = "libLibTorchSharp.libstdcxx12.so";

    // A lock, because test classes on several threads may be first together.
    private static readonly Lock s_gate = new();
    private static bool s_loaded;

    /// <summary>
    /// Loads TorchSharp's native libraries once. On a Linux whose libstdc++ is too old for them, a cured copy beside the original is
    /// loaded in its place. Throws <see cref="InvalidDataException"/> naming the package to upgrade where neither can be loaded.
    /// </summary>
    public static void EnsureLoaded()
    {
        lock (s_gate)
        {
            if (s_loaded) return;
            if (OperatingSystem.IsLinux() && SystemLacksNewVersion()) ProvideCuredCopy();
            try
            {
                torch.InitializeDeviceType(DeviceType.CPU);
            }
            catch (Exception e) when (e is NotSupportedException or DllNotFoundException or TypeInitializationException)
            {
                throw new InvalidDataException($"Native libraries: libtorch could not be loaded: {e.GetBaseException().Message.Split('\n')[0]} {LibstdcxxCure.Advice}", e);
            }
            s_loaded = true;
        }
    }

    /// <summary>True when the system's libstdc++ lacks what TorchSharp asks of it.</summary>
    internal static bool SystemLacksNewVersion() =>
        NativeLibrary.TryLoad(LibstdcxxCure.Library, out var library) && !NativeLibrary.TryGetExport(library, LibstdcxxCure.Marker, out _);

    /// <summary>Path of TorchSharp's own library among this program's native libraries, or null.</summary>
    internal static string? FindOriginal()
    {
        var folders = ((string?)AppContext.GetData("NATIVE_DLL_SEARCH_DIRECTORIES") ?? "").Split(':', StringSplitOptions.RemoveEmptyEntries);
        return folders.Append(AppContext.BaseDirectory).Select(folder => Path.Combine(folder, FileName)).FirstOrDefault(File.Exists);
    }

    private static void ProvideCuredCopy()
    {
        var original = FindOriginal()
            ?? throw new InvalidDataException($"Native libraries: {FileName} is not among this program's files in \"{AppContext.BaseDirectory}\". Publish or build it for this platform (linux-x64).");
        var cured = Path.Combine(Path.GetDirectoryName(original)!, CuredName);
        LibstdcxxCure.EnsureCopy(original, cured);
        // Asked only after the runtime's own search has failed, which it does for the original.
        AssemblyLoadContext.Default.ResolvingUnmanagedDll += (Assembly _, string name) =>
            name == ImportName && NativeLibrary.TryLoad(cured, out var library) ? library : 0;
    }
}
