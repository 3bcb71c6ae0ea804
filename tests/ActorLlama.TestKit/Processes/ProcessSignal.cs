using System.Runtime.InteropServices;

namespace ActorLlama.TestKit;

/// <summary>Signals to processes, by their id, and whether these still run.</summary>
public static partial class ProcessSignal
{
    public const int Interrupt = 2;
    public const int Kill = 9;
    public const int Terminate = 15;
    public const int Continue = 18;
    public const int Stop = 19;

    /// <summary>False when there is no such process.</summary>
    public static bool TrySend(int pid, int signal) => Send(pid, signal) == 0;

    /// <summary>A zombie has ended; only its parent has not looked.</summary>
    public static bool IsRunning(int pid)
    {
        try
        {
            return File.ReadAllText($"/proc/{pid}/stat") is var stat && stat[stat.LastIndexOf(')') + 2] is not ('Z' or 'X');
        }
        catch (IOException)
        {
            return false;
        }
    }

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int Send(int pid, int signal);
}
