using Akka.Actor;

namespace ActorLlama.Runtime.Devices;

/// <summary>What happens to an actor that threw on a device.</summary>
internal static class DeviceFaults
{
    /// <summary>
    /// Bad weights cannot get better: stop (the actor has reported why). Everything else restarts, which frees and reloads what it held;
    /// after three restarts in a minute it stops.
    /// </summary>
    public static Directive Decide(Exception fault) => fault switch
    {
        InvalidDataException or KeyNotFoundException => Directive.Stop,
        _ => Directive.Restart,
    };
}
