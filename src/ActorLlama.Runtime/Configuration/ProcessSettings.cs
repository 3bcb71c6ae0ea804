using ActorLlama.Kernels;

namespace ActorLlama.Runtime.Configuration;

/// <summary>What a process that runs a node asks of .NET and of the C library, and what no file of settings can.</summary>
public static class ProcessSettings
{
    private const string InlineCompletions = "DOTNET_SYSTEM_NET_SOCKETS_INLINE_COMPLETIONS";

    /// <summary>
    /// To be called first of all: before the first socket is used, and before there are threads. What waits for a socket then goes on at once, on the thread that polls, instead of on one of the pool that has
    /// to be woken: the lane's loops and Akka's never wait there. Who has set the variable keeps what it says.
    /// </summary>
    public static void Apply()
    {
        NativeHeap.LimitHeaps();
        if (Environment.GetEnvironmentVariable(InlineCompletions) is null) Environment.SetEnvironmentVariable(InlineCompletions, "1");
    }
}
