using System.Runtime.InteropServices;

namespace ActorLlama.Cli;

/// <summary>
/// The terminal while nobody reads from it: what is typed meanwhile waits for the next read as it was typed. Without this the terminal would show it
/// in the middle of an answer and turn Enter into Ctrl-J. Ctrl-C stays a signal. Disposing restores the terminal.
/// </summary>
internal sealed partial class TypeAhead : IDisposable
{
    private const int Now = 0;
    private const uint ReturnToNewline = 0x100;
    private const uint LineByLine = 0x2;
    private const uint Echo = 0x8;
    private readonly Attributes _before;
    private readonly bool _isTerminal;

    /// <summary>Not before the library has looked at the terminal, as it does at the first output: at the end it restores what it saw then.</summary>
    public TypeAhead()
    {
        _isTerminal = Get(0, out _before) == 0;
        Keep();
    }

    /// <summary>To be called after each read, too: the library sets the terminal back then.</summary>
    public void Keep()
    {
        if (!_isTerminal) return;
        var quiet = _before;
        quiet.Input &= ~ReturnToNewline;
        quiet.Local &= ~(LineByLine | Echo);
        _ = Set(0, Now, in quiet);
    }

    public void Dispose()
    {
        if (_isTerminal) _ = Set(0, Now, in _before);
    }

    /// <summary>The C library's struct termios on Linux.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private unsafe struct Attributes
    {
        public uint Input;
        public uint Output;
        public uint Control;
        public uint Local;
        public byte Line;
        public fixed byte Characters[32];
        public uint InputSpeed;
        public uint OutputSpeed;
    }

    [LibraryImport("libc", EntryPoint = "tcgetattr")]
    private static partial int Get(int file, out Attributes attributes);

    [LibraryImport("libc", EntryPoint = "tcsetattr")]
    private static partial int Set(int file, int when, in Attributes attributes);
}
