using System.Collections.Immutable;

namespace ActorLlama.Cli;

/// <summary>
/// A line that is being typed, and the lines before it. The cursor is an index into <see cref="Text"/>, never inside a surrogate pair.
/// Keys become calls; drawing is the editor's.
/// </summary>
internal sealed record LineBuffer(string Text, int Cursor, ImmutableList<string> History, int At, string Draft)
{
    public static LineBuffer Empty { get; } = new("", 0, [], 0, "");

    public LineBuffer Insert(string typed) => this with { Text = Text.Insert(Cursor, typed), Cursor = Cursor + typed.Length };

    public LineBuffer Backspace() => Cursor == 0 ? this : Cut(Before(Cursor), Cursor);

    public LineBuffer Delete() => Cursor == Text.Length ? this : Cut(Cursor, After(Cursor));

    public LineBuffer Left() => this with { Cursor = Before(Cursor) };

    public LineBuffer Right() => this with { Cursor = After(Cursor) };

    public LineBuffer Home() => this with { Cursor = 0 };

    public LineBuffer End() => this with { Cursor = Text.Length };

    public LineBuffer WordLeft() => this with { Cursor = WordStart() };

    public LineBuffer WordRight()
    {
        var at = Cursor;
        while (at < Text.Length && char.IsWhiteSpace(Text[at])) at++;
        while (at < Text.Length && !char.IsWhiteSpace(Text[at])) at++;
        return this with { Cursor = at };
    }

    public LineBuffer CutWord() => Cut(WordStart(), Cursor);

    public LineBuffer CutToStart() => Cut(0, Cursor);

    public LineBuffer CutToEnd() => Cut(Cursor, Text.Length);

    public LineBuffer Clear() => this with { Text = "", Cursor = 0, At = History.Count, Draft = "" };

    /// <summary>The line before in history; what was being typed is kept for the way back.</summary>
    public LineBuffer Up() => At == 0 ? this : Show(At - 1, At == History.Count ? Text : Draft);

    public LineBuffer Down() => At == History.Count ? this : Show(At + 1, Draft);

    /// <summary>The line is done: an empty buffer whose history ends with it, unless it is blank or equals the last.</summary>
    public LineBuffer Accept()
    {
        var history = string.IsNullOrWhiteSpace(Text) || (History.Count > 0 && History[^1] == Text) ? History : History.Add(Text);
        return new LineBuffer("", 0, history, history.Count, "");
    }

    private LineBuffer Show(int at, string draft)
    {
        var text = at == History.Count ? draft : History[at];
        return this with { Text = text, Cursor = text.Length, At = at, Draft = draft };
    }

    private LineBuffer Cut(int from, int to) => this with { Text = Text.Remove(from, to - from), Cursor = from };

    private int Before(int at) => at <= 0 ? 0 : at > 1 && char.IsLowSurrogate(Text[at - 1]) ? at - 2 : at - 1;

    private int After(int at) => at >= Text.Length ? Text.Length : at + 1 < Text.Length && char.IsHighSurrogate(Text[at]) ? at + 2 : at + 1;

    private int WordStart()
    {
        var at = Cursor;
        while (at > 0 && char.IsWhiteSpace(Text[at - 1])) at--;
        while (at > 0 && !char.IsWhiteSpace(Text[at - 1])) at--;
        return at;
    }
}
