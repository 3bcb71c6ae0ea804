using System.Globalization;
using System.Runtime.InteropServices;

namespace ActorLlama.Cli;

/// <summary>
/// What another process of this user may write: its heap, its stacks, what it maps for itself. Weights that it maps from files are not among it, nor memory that it shares. Linux only.
/// </summary>
internal sealed partial class ProcessMemory(int pid)
{
    private const int Data = 2;
    private const ulong Unlimited = ulong.MaxValue;

    /// <summary>As the kernel counts it; 0 when the process has ended.</summary>
    public long Bytes
    {
        get
        {
            try
            {
                var line = File.ReadLines($"/proc/{pid}/status").FirstOrDefault(l => l.StartsWith("VmData:", StringComparison.Ordinal));
                return line is null ? 0 : long.Parse(line.AsSpan("VmData:".Length).TrimEnd("kB").Trim(), CultureInfo.InvariantCulture) << 10;
            }
            catch (IOException)
            {
                return 0;
            }
        }
    }

    /// <summary>From now on every request of the process for more than that fails. False when it has ended.</summary>
    public bool Limit(long bytes) => Set((ulong)bytes);

    /// <summary>Takes the limit away. False when the process has ended.</summary>
    public bool Release() => Set(Unlimited);

    private bool Set(ulong bytes)
    {
        const int noSuchProcess = 3;
        var limit = new Limits { Now = bytes, Most = Unlimited };
        if (SetLimit(pid, Data, in limit, 0) == 0) return true;
        var error = Marshal.GetLastPInvokeError();
        return error == noSuchProcess ? false : throw new InvalidDataException($"Chaos: the memory of process {pid} cannot be limited: {Marshal.GetPInvokeErrorMessage(error)}.");
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct Limits
    {
        public ulong Now, Most;
    }

    [LibraryImport("libc", EntryPoint = "prlimit", SetLastError = true)]
    private static partial int SetLimit(int pid, int resource, in Limits limit, nint former);
}
