using ActorLlama.TestKit;

namespace ActorLlama.Cli.Tests;

public sealed class EditorViewTests
{
    [Fact]
    public void Each_line_is_a_row_and_only_the_cursors_row_scrolls()
    {
        var line = LineBuffer.Empty.Insert("one\ntwo and a long rest\nthree").Up();
        var view = EditorView.Of(line, columns: 13, rows: 10);
        Assert.Equal(["> one", "  two and a l", "  three"], EditorView.Of(line.Home(), columns: 14, rows: 10).Rows.AsEnumerable());
        Assert.Equal((1, 2), (view.CursorRow, EditorView.Of(line.Home(), 13, 10).CursorColumn));
        Assert.All(view.Rows, row => Assert.InRange(row.Length, 0, 12));
    }

    [Fact]
    public void Of_more_lines_than_the_terminal_has_rows_those_around_the_cursor_are_shown()
    {
        var line = LineBuffer.Empty.Insert(string.Join('\n', Enumerable.Range(0, 50)));
        Assert.Equal(["  47", "  48", "  49"], EditorView.Of(line, 80, 3).Rows.AsEnumerable());
        for (var i = 0; i < 25; i++) line = line.Up();
        var view = EditorView.Of(line, 80, 3);
        Assert.Equal("  24", view.Rows[view.CursorRow]);
        Assert.Equal(3, view.Rows.Length);
    }

    /// <summary>Whatever is typed, and however narrow the terminal, what is drawn over the view before is what a new terminal would show.</summary>
    [Theory]
    [InlineData(80)]
    [InlineData(9)]
    [InlineData(4)]
    public void Drawing_over_the_view_before_leaves_nothing_of_it(int columns)
    {
        var screen = new TerminalScreen(columns);
        _ = screen.Feed("before\r\n");
        var (line, cursorRow) = (LineBuffer.Empty, 0);
        Func<LineBuffer, LineBuffer>[] keys =
        [
            l => l.Insert("To be, or not to be"), l => l.Insert("\n"), l => l.Insert("that is"), l => l.Up(), l => l.Insert("\nx"), l => l.Down(), l => l.CutWord(),
            l => l.Home(), l => l.Backspace(), l => l.Up(), l => l.CutToStart(), l => l.Clear(),
        ];
        foreach (var key in keys)
        {
            line = key(line);
            var view = EditorView.Of(line, columns, rows: 20);
            _ = screen.Feed(view.Over(cursorRow));
            cursorRow = view.CursorRow;
            var fresh = new TerminalScreen(columns);
            _ = fresh.Feed("before\r\n" + string.Join("\r\n", view.Rows));
            Assert.Equal(fresh.Text, screen.Text);
        }
    }
}
