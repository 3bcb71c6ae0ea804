using System.Diagnostics;
using System.Runtime.InteropServices;

namespace ActorLlama.Node;

/// <summary>
/// Ties a node to the process that started it: the node ends when that one does, whatever ended it. Two ways at once: the kernel's
/// parent-death signal, and the end of standard input, which the parent holds open and never writes to.
/// </summary>
public static partial class Lifeline
{
    private const int ParentDeathSignal = 1;
    private const nuint SigKill = 9;

    /// <summary>An orderly end may take this long; then the process is killed.</summary>
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(3);

    /// <summary>
    /// Watches from now on. <paramref name="onLost"/> is called once when standard input has ended, and is to end the process. Also
    /// leaves the parent's process group: Ctrl-C in its terminal is the parent's to handle.
    /// </summary>
    /// <remarks>
    /// The death signal belongs to the thread that asked for it, here and in the parent: this thread never ends, and the parent must start
    /// its children from one that lives as long as they shall.
    /// </remarks>
    public static void Hold(Action onLost)
    {
        _ = NewSession();
        new Thread(() => Watch(onLost)) { IsBackground = true, Name = "lifeline" }.Start();
    }

    private static void Watch(Action onLost)
    {
        if (OperatingSystem.IsLinux()) _ = ProcessControl(ParentDeathSignal, SigKill, 0, 0, 0);
        using var input = Console.OpenStandardInput();
        var buffer = new byte[64];
        while (Read(input, buffer) > 0) continue;
        onLost();
        Thread.Sleep(s_patience);
        using var self = Process.GetCurrentProcess();
        self.Kill();
    }

    private static int Read(Stream input, byte[] buffer)
    {
        try
        {
            return input.Read(buffer);
        }
        catch (IOException)
        {
            return 0;
        }
    }

    [LibraryImport("libc", EntryPoint = "setsid")]
    private static partial int NewSession();

    [LibraryImport("libc", EntryPoint = "prctl")]
    private static partial int ProcessControl(int option, nuint arg2, nuint arg3, nuint arg4, nuint arg5);
}
