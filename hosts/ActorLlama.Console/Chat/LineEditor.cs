using Spectre.Console;

namespace ActorLlama.Cli;

/// <summary>
/// Reads lines from a terminal with the usual keys: arrows, Home and End, history with Up and Down, Ctrl-A E K U W, Ctrl-C clears the
/// line, Ctrl-D on an empty one ends. A line longer than the terminal scrolls sideways.
/// </summary>
internal sealed class LineEditor
{
    private const string Prompt = "> ";
    private LineBuffer _line = LineBuffer.Empty;

    /// <summary>The next line, or null at the end of input. Blocks on the keyboard.</summary>
    public string? ReadLine()
    {
        Console.TreatControlCAsInput = true;
        try
        {
            Draw();
            while (true)
            {
                var key = Console.ReadKey(intercept: true);
                if (key.Key == ConsoleKey.Enter) return Accept();
                if (IsControl(key, ConsoleKey.D) && _line.Text.Length == 0)
                {
                    Console.Out.WriteLine();
                    return null;
                }

                _line = Apply(_line, key);
                Draw();
            }
        }
        finally
        {
            Console.TreatControlCAsInput = false;
        }
    }

    /// <summary>What a key does to a line; unknown keys do nothing.</summary>
    internal static LineBuffer Apply(LineBuffer line, ConsoleKeyInfo key) => (key.Key, key.Modifiers.HasFlag(ConsoleModifiers.Control)) switch
    {
        (ConsoleKey.LeftArrow, true) => line.WordLeft(),
        (ConsoleKey.RightArrow, true) => line.WordRight(),
        (ConsoleKey.LeftArrow, _) => line.Left(),
        (ConsoleKey.RightArrow, _) => line.Right(),
        (ConsoleKey.UpArrow, _) or (ConsoleKey.P, true) => line.Up(),
        (ConsoleKey.DownArrow, _) or (ConsoleKey.N, true) => line.Down(),
        (ConsoleKey.Home, _) or (ConsoleKey.A, true) => line.Home(),
        (ConsoleKey.End, _) or (ConsoleKey.E, true) => line.End(),
        (ConsoleKey.Backspace, _) or (ConsoleKey.H, true) => line.Backspace(),
        (ConsoleKey.Delete, _) or (ConsoleKey.D, true) => line.Delete(),
        (ConsoleKey.K, true) => line.CutToEnd(),
        (ConsoleKey.U, true) => line.CutToStart(),
        (ConsoleKey.W, true) => line.CutWord(),
        (ConsoleKey.C, true) => line.Clear(),
        _ => key.KeyChar >= ' ' && key.KeyChar != '\u007f' ? line.Insert(key.KeyChar.ToString()) : line,
    };

    private static bool IsControl(ConsoleKeyInfo key, ConsoleKey wanted) => key.Key == wanted && key.Modifiers.HasFlag(ConsoleModifiers.Control);

    private string Accept()
    {
        var text = _line.Text;
        _line = _line.Accept();
        Console.Out.WriteLine();
        return text;
    }

    private void Draw()
    {
        // A terminal that does not know its width says 0.
        var room = Math.Max(8, (Console.WindowWidth > 0 ? Console.WindowWidth : 80) - Prompt.Length - 1);
        var (visible, cursor) = Window(_line, room);
        // To the left edge, erase, prompt and text, then the cursor to its column.
        Console.Out.Write($"\r\u001b[K{Prompt}{visible}\r\u001b[{Prompt.Length + cursor}C");
        Console.Out.Flush();
    }

    /// <summary>The part of the line around the cursor that fits in <paramref name="room"/> cells, and the cursor's cell in it.</summary>
    internal static (string Visible, int Cursor) Window(LineBuffer line, int room)
    {
        var start = line.Cursor;
        var cells = 0;
        while (start > 0 && cells + Width(line.Text, start - 1) <= room - 1) cells += Width(line.Text, --start);
        var cursor = cells;
        var end = line.Cursor;
        while (end < line.Text.Length && cells + Width(line.Text, end) <= room) cells += Width(line.Text, end++);
        return (line.Text[start..end], cursor);
    }

    /// <summary>Cells of one UTF-16 unit; a pair's are counted at its first.</summary>
    private static int Width(string text, int at) =>
        char.IsLowSurrogate(text[at]) ? 0
        : char.IsHighSurrogate(text[at]) && at + 1 < text.Length ? text.Substring(at, 2).GetCellWidth()
        : text[at].ToString().GetCellWidth();
}
