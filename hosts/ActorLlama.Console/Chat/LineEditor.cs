using System.Text;

namespace ActorLlama.Cli;

/// <summary>
/// Reads messages from a terminal with the usual keys: arrows, Home and End, history with Up and Down, Ctrl-A E K U W; Alt-Enter, Ctrl-J or a "\"
/// before Enter begin another line, and pasted lines stay together. Ctrl-C clears the message, Ctrl-D on an empty one ends.
/// </summary>
internal sealed class LineEditor(IEnumerable<string> history) : IMessageSource, IDisposable
{
    private const int LongestPaste = 1 << 20;
    private const string PasteBegins = "[200~";
    private const string PasteEnds = "[201~";
    private readonly Lock _drawing = new();
    private LineBuffer _line = LineBuffer.WithHistory(history);
    private bool _isReading;
    private int _cursorRow;
    private string? _notice;
    private readonly TypeAhead _typeAhead = new();

    public string? Read()
    {
        Console.TreatControlCAsInput = true;
        Console.Out.Write("\u001b[?2004h");
        try
        {
            Begin();
            while (true)
            {
                var key = Console.ReadKey(intercept: true);
                if (key.Key == ConsoleKey.Escape && Console.KeyAvailable)
                {
                    if (ReadSequence() is { Length: > 0 } text) Show(_line.Insert(text));
                }
                else if (EndsMessage(_line, key)) return Accept();
                else if (IsControl(key, ConsoleKey.D) && _line.Text.Length == 0)
                {
                    End();
                    return null;
                }
                else Show(Apply(_line, key));
            }
        }
        finally
        {
            Console.Out.Write("\u001b[?2004l");
            Console.Out.Flush();
            Console.TreatControlCAsInput = false;
            _typeAhead.Keep();
        }
    }

    public void Dispose() => _typeAhead.Dispose();

    public void Notify(string text)
    {
        lock (_drawing)
        {
            _notice = text;
            if (_isReading) Draw();
        }
    }

    /// <summary>True when a key ends the message: Enter alone, unless the line's last character says that another follows.</summary>
    internal static bool EndsMessage(LineBuffer line, ConsoleKeyInfo key) =>
        key.Key == ConsoleKey.Enter && key.Modifiers == 0 && !(line.Cursor == line.Text.Length && line.Text.EndsWith('\\'));

    /// <summary>What a key does to a message; unknown keys do nothing.</summary>
    internal static LineBuffer Apply(LineBuffer line, ConsoleKeyInfo key) => (key.Key, key.Modifiers.HasFlag(ConsoleModifiers.Control)) switch
    {
        (ConsoleKey.Enter, _) when key.Modifiers == 0 => line.Backspace().Insert("\n"),
        (ConsoleKey.Enter, _) => line.Insert("\n"),
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

    /// <summary>
    /// What comes after an Escape that others follow: of Alt-Enter a line break, the text between the marks that a terminal puts around pasted text;
    /// another sequence is skipped.
    /// </summary>
    private static string ReadSequence()
    {
        foreach (var expected in PasteBegins)
        {
            if (!Console.KeyAvailable) return "";
            var key = Console.ReadKey(intercept: true);
            if (key.Key == ConsoleKey.Enter && expected == PasteBegins[0]) return "\n";
            if (key.KeyChar != expected) return "";
        }

        return ReadPaste();
    }

    private static string ReadPaste()
    {
        var pasted = new StringBuilder();
        while (pasted.Length < LongestPaste)
        {
            var key = Console.ReadKey(intercept: true);
            if (key.Key == ConsoleKey.Enter) pasted.Append('\n');
            else if (key.Key == ConsoleKey.Tab) pasted.Append("    ");
            else if (key.KeyChar == '\u001b') pasted.Append('\u001b');
            else if (key.KeyChar >= ' ') pasted.Append(key.KeyChar);
            if (key.KeyChar != '~' || !pasted.ToString().EndsWith('\u001b' + PasteEnds, StringComparison.Ordinal)) continue;
            pasted.Length -= PasteEnds.Length + 1;
            break;
        }

        return pasted.Replace("\u001b", "").ToString().TrimEnd('\n');
    }

    private void Begin()
    {
        lock (_drawing)
        {
            (_isReading, _cursorRow) = (true, 0);
            Draw();
        }
    }

    private void Show(LineBuffer line)
    {
        lock (_drawing)
        {
            _line = line;
            Draw();
        }
    }

    private string Accept()
    {
        lock (_drawing)
        {
            var text = _line.Text;
            _line = _line.ToLast();
            Draw();
            _line = _line.Accept();
            End();
            return text;
        }
    }

    private void End()
    {
        lock (_drawing)
        {
            _isReading = false;
            Console.Out.WriteLine();
        }
    }

    private void Draw()
    {
        if (_notice is { } notice)
        {
            Console.Out.Write(EditorView.Erase(_cursorRow));
            Screen.Dim(notice);
            (_notice, _cursorRow) = (null, 0);
        }

        var view = EditorView.Of(_line, Screen.Columns, Screen.Rows - 1);
        Console.Out.Write(view.Over(_cursorRow));
        Console.Out.Flush();
        _cursorRow = view.CursorRow;
    }
}
