using System.Globalization;
using System.Text;

namespace ActorLlama.TestKit;

/// <summary>
/// What a terminal shows of what was written to it: text, carriage return, line feed, backspace, and the control sequences that move the
/// cursor and erase. Others are skipped. Each character takes one cell. Lines that scrolled away are kept.
/// </summary>
public sealed class TerminalScreen(int columns)
{
    private readonly List<StringBuilder> _lines = [new()];
    private readonly StringBuilder _pending = new();
    private int _row;
    private int _column;

    public int Columns { get; set; } = columns;

    public string Text => string.Join('\n', _lines.Select(line => line.ToString().TrimEnd()));

    /// <summary>Shows the text; returns what a terminal would answer to it.</summary>
    public string Feed(string text)
    {
        var answer = new StringBuilder();
        _pending.Append(text);
        var all = _pending.ToString();
        var at = 0;
        while (at < all.Length)
        {
            var used = all[at] == '\u001b' ? Escape(all.AsSpan(at), answer) : Plain(all[at]);
            // The rest of a sequence has not come yet.
            if (used == 0) break;
            at += used;
        }

        _pending.Remove(0, at);
        return answer.ToString();
    }

    private int Plain(char shown)
    {
        switch (shown)
        {
            case '\r': _column = 0; break;
            case '\n': Down(1); break;
            case '\b': _column = Math.Max(0, _column - 1); break;
            case < ' ' or '\u007f': break;
            default: Put(shown); break;
        }

        return 1;
    }

    private void Put(char shown)
    {
        if (_column >= Columns)
        {
            _column = 0;
            Down(1);
        }

        var line = _lines[_row];
        if (line.Length <= _column) line.Append(' ', _column + 1 - line.Length);
        line[_column++] = shown;
    }

    private void Down(int count)
    {
        _row += count;
        while (_lines.Count <= _row) _lines.Add(new StringBuilder());
    }

    private int Escape(ReadOnlySpan<char> text, StringBuilder answer)
    {
        if (text.Length < 2) return 0;
        if (text[1] == ']') return Ended(text, text.IndexOf('\u0007'));
        if (text[1] != '[') return 2;
        var end = 2;
        while (end < text.Length && text[end] is < '@' or > '~') end++;
        if (end == text.Length) return 0;
        Control(text[end], text[2..end], answer);
        return end + 1;
    }

    private static int Ended(ReadOnlySpan<char> text, int end) => end < 0 ? text.Length > 256 ? 2 : 0 : end + 1;

    private void Control(char command, ReadOnlySpan<char> arguments, StringBuilder answer)
    {
        var given = int.TryParse(arguments, NumberStyles.None, CultureInfo.InvariantCulture, out var number);
        var count = given ? Math.Max(1, number) : 1;
        switch (command)
        {
            case 'A': _row = Math.Max(0, _row - count); break;
            case 'B': Down(count); break;
            case 'C': _column = Math.Min(Columns - 1, _column + count); break;
            case 'D': _column = Math.Max(0, Math.Min(_column, Columns - 1) - count); break;
            case 'G': _column = Math.Min(Columns, count) - 1; break;
            case 'K' when given && number == 2: _lines[_row].Clear(); break;
            case 'K': EraseToEndOfLine(); break;
            case 'J': EraseToEnd(); break;
            case 'n' when given && number == 6: answer.Append(CultureInfo.InvariantCulture, $"\u001b[{_row + 1};{_column + 1}R"); break;
        }
    }

    private void EraseToEndOfLine()
    {
        if (_lines[_row].Length > _column) _lines[_row].Length = _column;
    }

    private void EraseToEnd()
    {
        EraseToEndOfLine();
        _lines.RemoveRange(_row + 1, _lines.Count - _row - 1);
    }
}
