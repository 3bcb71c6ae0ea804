using System.Runtime.InteropServices;
using Akka.Actor;

namespace ActorLlama.Runtime.Devices;

/// <summary>What happens to an actor that threw on a device.</summary>
internal static class DeviceFaults
{
    /// <summary>Whether another device, with another disk, may do what this one could not.</summary>
    public static bool IsOfDevice(Exception fault) => fault is IOException || IsOutOfMemory(fault);

    /// <summary>libtorch says so in words only: those of its allocators for CUDA and for the CPU.</summary>
    public static bool IsOutOfMemory(Exception fault) => fault is OutOfMemoryException
        || (fault is ExternalException && (fault.Message.Contains("out of memory", StringComparison.OrdinalIgnoreCase) || fault.Message.Contains("can't allocate memory", StringComparison.Ordinal)));

    /// <summary>
    /// Bad weights cannot get better, and a device or disk that failed is planned around: stop (the actor has reported why). Everything else restarts, which frees and reloads
    /// what it held; after three restarts in a minute it stops.
    /// </summary>
    public static Directive Decide(Exception fault) => fault switch
    {
        InvalidDataException or KeyNotFoundException => Directive.Stop,
        _ when IsOfDevice(fault) => Directive.Stop,
        _ => Directive.Restart,
    };
}
