using System.Text;
using Spectre.Console;

namespace ActorLlama.Cli;

/// <summary>What a person looks at: its size, and text that cannot disturb it.</summary>
internal static class Screen
{
    private const int DefaultColumns = 80;
    private const int DefaultRows = 24;

    /// <summary>A person types and reads here.</summary>
    public static bool IsInteractive => !Console.IsInputRedirected && !Console.IsOutputRedirected;

    /// <summary>It understands the sequences that move the cursor and erase.</summary>
    public static bool CanMoveCursor => Terminal.Out.Profile.Capabilities.Ansi;

    /// <summary>A terminal that does not know its size says 0.</summary>
    public static int Columns => IsInteractive && Console.WindowWidth > 0 ? Console.WindowWidth : DefaultColumns;

    public static int Rows => IsInteractive && Console.WindowHeight > 0 ? Console.WindowHeight : DefaultRows;

    /// <summary>Where tables and remarks go. With NO_COLOR they are text as it is; the library alone would drop colours and keep other styles.</summary>
    public static IAnsiConsole Styled => Terminal.Out.Profile.Capabilities.ColorSystem == ColorSystem.NoColors
        ? AnsiConsole.Create(new AnsiConsoleSettings { Ansi = AnsiSupport.No, ColorSystem = ColorSystemSupport.NoColors, Out = new AnsiConsoleOutput(Console.Out) })
        : Terminal.Out;

    /// <summary>A remark beside the dialog.</summary>
    public static void Dim(string text) => Styled.MarkupLineInterpolated($"[dim]{text}[/]");

    /// <summary>Something went wrong; the dialog goes on.</summary>
    public static void Fault(string text) => Styled.MarkupLineInterpolated($"[red]error: {text}[/]");

    /// <summary>Text of others without what a terminal would obey: control characters other than line breaks and tabs become a replacement character.</summary>
    public static string Safe(string text)
    {
        if (!text.AsSpan().ContainsAnyInRange('\0', '\u001f') && !text.AsSpan().ContainsAnyInRange('\u007f', '\u009f')) return text;
        var safe = new StringBuilder(text.Length);
        foreach (var c in text.Where(c => c != '\r')) safe.Append(char.IsControl(c) && c is not ('\n' or '\t') ? '\ufffd' : c);
        return safe.ToString();
    }
}
