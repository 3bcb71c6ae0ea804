using System.Collections.Immutable;

namespace ActorLlama.Cli;

/// <summary>
/// A message that is being typed, of one line or several, and those before it. The cursor is an index into <see cref="Text"/>, never inside a
/// surrogate pair. Keys become calls; drawing is the editor's.
/// </summary>
internal sealed record LineBuffer(string Text, int Cursor, ImmutableList<string> History, int At, string Draft)
{
    /// <summary>Messages that are remembered.</summary>
    public const int MaxHistory = 1000;

    public static LineBuffer Empty { get; } = new("", 0, [], 0, "");

    private int LineStart => Cursor == 0 ? 0 : Text.LastIndexOf('\n', Cursor - 1) + 1;

    private int LineEnd => Text.IndexOf('\n', Cursor) is var end and >= 0 ? end : Text.Length;

    public static LineBuffer WithHistory(IEnumerable<string> history)
    {
        ImmutableList<string> kept = [.. history.TakeLast(MaxHistory)];
        return new LineBuffer("", 0, kept, kept.Count, "");
    }

    public LineBuffer Insert(string typed) => this with { Text = Text.Insert(Cursor, typed), Cursor = Cursor + typed.Length };

    public LineBuffer Backspace() => Cursor == 0 ? this : Cut(Before(Cursor), Cursor);

    public LineBuffer Delete() => Cursor == Text.Length ? this : Cut(Cursor, After(Cursor));

    public LineBuffer Left() => this with { Cursor = Before(Cursor) };

    public LineBuffer Right() => this with { Cursor = After(Cursor) };

    /// <summary>To the start of its line.</summary>
    public LineBuffer Home() => this with { Cursor = LineStart };

    /// <summary>To the end of its line.</summary>
    public LineBuffer End() => this with { Cursor = LineEnd };

    /// <summary>To the end of all lines.</summary>
    public LineBuffer ToLast() => this with { Cursor = Text.Length };

    public LineBuffer WordLeft() => this with { Cursor = WordStart() };

    public LineBuffer WordRight()
    {
        var at = Cursor;
        while (at < Text.Length && char.IsWhiteSpace(Text[at])) at++;
        while (at < Text.Length && !char.IsWhiteSpace(Text[at])) at++;
        return this with { Cursor = at };
    }

    public LineBuffer CutWord() => Cut(WordStart(), Cursor);

    public LineBuffer CutToStart() => Cut(LineStart, Cursor);

    public LineBuffer CutToEnd() => Cut(Cursor, LineEnd);

    public LineBuffer Clear() => this with { Text = "", Cursor = 0, At = History.Count, Draft = "" };

    /// <summary>A line up; from the first, the message before in history. What was being typed is kept for the way back.</summary>
    public LineBuffer Up() =>
        LineStart > 0 ? OnLine(LineStart - 1)
        : At == 0 ? this
        : Show(At - 1, At == History.Count ? Text : Draft);

    /// <summary>A line down; from the last, the next message in history.</summary>
    public LineBuffer Down() =>
        LineEnd < Text.Length ? OnLine(LineEnd + 1)
        : At == History.Count ? this
        : Show(At + 1, Draft);

    /// <summary>The message is done: an empty buffer whose history ends with it, unless it is blank or equals the last.</summary>
    public LineBuffer Accept() => string.IsNullOrWhiteSpace(Text) || (History.Count > 0 && History[^1] == Text) ? WithHistory(History) : WithHistory(History.Add(Text));

    private LineBuffer Show(int at, string draft)
    {
        var text = at == History.Count ? draft : History[at];
        return this with { Text = text, Cursor = text.Length, At = at, Draft = draft };
    }

    /// <summary>To the line that <paramref name="at"/> is in, as far from its start as the cursor is now.</summary>
    private LineBuffer OnLine(int at)
    {
        var there = this with { Cursor = at };
        var cursor = Math.Min(there.LineStart + (Cursor - LineStart), there.LineEnd);
        return there with { Cursor = cursor > 0 && cursor < Text.Length && char.IsLowSurrogate(Text[cursor]) ? cursor - 1 : cursor };
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
