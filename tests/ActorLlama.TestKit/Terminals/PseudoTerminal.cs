using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace ActorLlama.TestKit;

/// <summary>
/// A terminal of the kernel's, as a terminal emulator opens one, with a program on it: keys are typed, and what a person would see is read.
/// Linux only.
/// </summary>
public sealed partial class PseudoTerminal : IDisposable
{
    private const int OpenReadWrite = 2;
    private const int OpenWithoutControl = 0x100;

    /// <summary>A program that held its own terminal's other end would never see it close.</summary>
    private const int CloseOnExec = 0x80000;
    private const uint ReturnToNewline = 0x100;
    private const uint LineByLineAndEcho = 0xa;
    private const short PollIn = 1;
    private const int PollMilliseconds = 50;
    private const nuint SetWindowSize = 0x5414;
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(30);
    private readonly SafeFileHandle _master;
    private readonly FileStream _stream;
    private readonly Process _process;
    private readonly Thread _reader;
    private readonly object _gate = new();
    private readonly StringBuilder _raw = new();
    private readonly TerminalScreen _screen;
    private volatile bool _isClosing;

    private PseudoTerminal(SafeFileHandle master, Process process, TerminalScreen screen)
    {
        (_master, _process, _screen) = (master, process, screen);
        _stream = new FileStream(master, FileAccess.ReadWrite, bufferSize: 0);
        _reader = new Thread(Read) { IsBackground = true, Name = "terminal" };
        _reader.Start();
    }

    public int Pid => _process.Id;

    /// <summary>All bytes that the program wrote, as text.</summary>
    public string Raw
    {
        get
        {
            lock (_gate) return _raw.ToString();
        }
    }

    /// <summary>Every line that is or was on the screen, without trailing blanks.</summary>
    public string Text
    {
        get
        {
            lock (_gate) return _screen.Text;
        }
    }

    /// <summary>Starts a program on a terminal of this size. <paramref name="environment"/> is added to our own; a null value removes.</summary>
    public static PseudoTerminal Start(IEnumerable<string> command, int columns, int rows, IReadOnlyDictionary<string, string?> environment)
    {
        var master = new SafeFileHandle(Check(OpenMaster(OpenReadWrite | OpenWithoutControl | CloseOnExec), "posix_openpt"), ownsHandle: true);
        _ = Check(Grant(master), "grantpt");
        _ = Check(Unlock(master), "unlockpt");
        var name = new byte[128];
        _ = Check(NameOf(master, name, (nuint)name.Length), "ptsname_r");
        Resize(master, columns, rows);
        var info = new ProcessStartInfo("/bin/sh") { UseShellExecute = false };
        // The terminal becomes the program's standard streams and, in a session of its own, its controlling terminal: Ctrl-C is a signal.
        string[] start =
        [
            "-c", "terminal=$1; shift; exec setsid --ctty env --default-signal=INT \"$@\" <\"$terminal\" >\"$terminal\" 2>&1", "sh",
            Encoding.UTF8.GetString(name, 0, Array.IndexOf(name, (byte)0)),
        ];
        foreach (var argument in start.Concat(command)) info.ArgumentList.Add(argument);
        foreach (var (key, value) in environment)
            if (value is null) info.Environment.Remove(key);
            else info.Environment[key] = value;
        return new PseudoTerminal(master, Process.Start(info)!, new TerminalScreen(columns));
    }

    /// <summary>It edits lines and shows what is typed, as a shell expects to find it.</summary>
    public bool IsAsAShellWantsIt
    {
        get
        {
            // struct termios: the input flags come first, the local flags are the fourth word.
            var attributes = new uint[32];
            _ = Check(Attributes(_master, attributes), "tcgetattr");
            return (attributes[0] & ReturnToNewline) != 0 && (attributes[3] & LineByLineAndEcho) == LineByLineAndEcho;
        }
    }

    public void Type(string keys)
    {
        _stream.Write(Encoding.UTF8.GetBytes(keys));
        _stream.Flush();
    }

    /// <summary>Waits, bounded, until <paramref name="seen"/> holds for the screen's text; throws with the screen otherwise.</summary>
    public async Task<string> WaitAsync(Func<string, bool> seen, string phase)
    {
        var clock = Stopwatch.StartNew();
        while (true)
        {
            var text = Text;
            if (seen(text)) return text;
            if (clock.Elapsed > s_patience) throw new TimeoutException($"{phase}: not seen within {s_patience.TotalSeconds:0} s on this screen:\n{text}");
            await Task.Delay(20).ConfigureAwait(false);
        }
    }

    public Task<string> WaitForAsync(string part, string phase) => WaitAsync(text => text.Contains(part, StringComparison.Ordinal), $"{phase} (\"{part}\")");

    public void Resize(int columns, int rows)
    {
        lock (_gate) _screen.Columns = columns;
        Resize(_master, columns, rows);
    }

    /// <summary>Closes the terminal, as a window is closed.</summary>
    public void HangUp()
    {
        // A handle stays open while a thread reads from it.
        _isClosing = true;
        _reader.Join(s_patience);
        _stream.Dispose();
        _master.Dispose();
    }

    /// <summary>The program's exit code, once it has ended.</summary>
    public async Task<int> ExitAsync()
    {
        await _process.WaitForExitAsync().WaitAsync(s_patience).ConfigureAwait(false);
        return _process.ExitCode;
    }

    public void Dispose()
    {
        if (!_process.HasExited) _process.Kill(entireProcessTree: true);
        _process.WaitForExit();
        _process.Dispose();
        HangUp();
    }

    /// <summary>Until the last process that holds the terminal has ended.</summary>
    private void Read()
    {
        var (bytes, chars, decoder) = (new byte[4096], new char[4096], Encoding.UTF8.GetDecoder());
        try
        {
            while (!_isClosing)
            {
                if (!HasInput()) continue;
                var count = _stream.Read(bytes);
                if (count == 0) return;
                var text = new string(chars, 0, decoder.GetChars(bytes, 0, count, chars, 0));
                string answer;
                lock (_gate)
                {
                    _raw.Append(text);
                    answer = _screen.Feed(text);
                }

                if (answer.Length > 0) Type(answer);
            }
        }
        catch (IOException)
        {
            // Linux reports the end of a terminal as an error.
        }
    }

    private bool HasInput()
    {
        var wanted = new PollRequest { File = (int)_master.DangerousGetHandle(), Events = PollIn };
        return Poll(ref wanted, 1, PollMilliseconds) > 0;
    }

    private static void Resize(SafeFileHandle master, int columns, int rows)
    {
        var size = new WindowSize { Rows = (ushort)rows, Columns = (ushort)columns };
        _ = Check(Control(master, SetWindowSize, ref size), "ioctl");
    }

    private static int Check(int result, string what) =>
        result >= 0 ? result : throw new IOException($"Terminal: {what} failed with error {Marshal.GetLastPInvokeError()}.");

    [StructLayout(LayoutKind.Sequential)]
    private struct PollRequest
    {
        public int File;
        public short Events;
        public short Results;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct WindowSize
    {
        public ushort Rows;
        public ushort Columns;
        public ushort Width;
        public ushort Height;
    }

    [LibraryImport("libc", EntryPoint = "posix_openpt", SetLastError = true)]
    private static partial int OpenMaster(int flags);

    [LibraryImport("libc", EntryPoint = "grantpt", SetLastError = true)]
    private static partial int Grant(SafeFileHandle master);

    [LibraryImport("libc", EntryPoint = "unlockpt", SetLastError = true)]
    private static partial int Unlock(SafeFileHandle master);

    [LibraryImport("libc", EntryPoint = "ptsname_r", SetLastError = true)]
    private static partial int NameOf(SafeFileHandle master, [Out] byte[] name, nuint length);

    [LibraryImport("libc", EntryPoint = "tcgetattr", SetLastError = true)]
    private static partial int Attributes(SafeFileHandle master, [Out] uint[] attributes);

    [LibraryImport("libc", EntryPoint = "poll", SetLastError = true)]
    private static partial int Poll(ref PollRequest requests, nuint count, int milliseconds);

    [LibraryImport("libc", EntryPoint = "ioctl", SetLastError = true)]
    private static partial int Control(SafeFileHandle master, nuint request, ref WindowSize size);
}
