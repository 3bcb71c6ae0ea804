using System.Collections.Immutable;
using System.Text;
using Spectre.Console;

namespace ActorLlama.Cli;

/// <summary>
/// What the terminal shows of a message: one row for each of its lines, no row longer than the terminal is wide. A longer line shows the part around the
/// cursor; of more lines than the terminal has rows, those around the cursor are shown.
/// </summary>
/// <param name="Rows">From the top, with their prompts.</param>
/// <param name="CursorRow">Index into <paramref name="Rows"/>.</param>
/// <param name="CursorColumn">Cells from the left edge.</param>
internal sealed record EditorView(ImmutableArray<string> Rows, int CursorRow, int CursorColumn)
{
    public const string Prompt = "> ";
    private const string Continued = "  ";

    public static EditorView Of(LineBuffer line, int columns, int rows)
    {
        // One cell stays free at the right edge: a cursor behind a full row would wrap.
        var room = Math.Max(1, columns - Prompt.Length - 1);
        var before = line.Text.AsSpan(0, line.Cursor);
        var at = before.Count('\n');
        var inLine = line.Cursor - (before.LastIndexOf('\n') + 1);
        var lines = line.Text.Split('\n');
        var (shown, cursor) = Window(lines[at], inLine, room);
        var first = Math.Clamp(at - (rows / 2), 0, Math.Max(0, lines.Length - rows));
        var view = lines.Skip(first).Take(Math.Max(1, rows))
            .Select((text, i) => (first + i == 0 ? Prompt : Continued) + (first + i == at ? shown : Window(text, 0, room).Visible));
        return new EditorView([.. view], at - first, Prompt.Length + cursor);
    }

    /// <summary>What to write to show this where a view is whose cursor is in <paramref name="cursorRow"/>.</summary>
    public string Over(int cursorRow)
    {
        var output = new StringBuilder(Erase(cursorRow)).AppendJoin("\r\n", Rows);
        if (Rows.Length - 1 - CursorRow is var up and > 0) output.Append("\u001b[").Append(up).Append('A');
        return output.Append("\r\u001b[").Append(CursorColumn).Append('C').ToString();
    }

    /// <summary>What to write to remove a view whose cursor is in <paramref name="cursorRow"/>.</summary>
    public static string Erase(int cursorRow) => cursorRow > 0 ? $"\u001b[{cursorRow}A\r\u001b[J" : "\r\u001b[J";

    /// <summary>The part of a line around the cursor that fits in <paramref name="room"/> cells, and the cursor's cell in it.</summary>
    internal static (string Visible, int Cursor) Window(string text, int at, int room)
    {
        var start = at;
        var cells = 0;
        while (start > 0 && cells + Width(text, start - 1) <= room - 1) cells += Width(text, --start);
        var cursor = cells;
        var end = at;
        while (end < text.Length && cells + Width(text, end) <= room) cells += Width(text, end++);
        return (text[start..end], cursor);
    }

    /// <summary>Cells of one UTF-16 unit; a pair's are counted at its first.</summary>
    private static int Width(string text, int at) =>
        char.IsLowSurrogate(text[at]) ? 0
        : char.IsHighSurrogate(text[at]) && at + 1 < text.Length ? text.Substring(at, 2).GetCellWidth()
        : text[at].ToString().GetCellWidth();
}
