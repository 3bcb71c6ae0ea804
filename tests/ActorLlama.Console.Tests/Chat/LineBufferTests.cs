namespace ActorLlama.Cli.Tests;

public sealed class LineBufferTests
{
    [Fact]
    public void Typing_moves_the_cursor_and_inserts_at_it()
    {
        var line = LineBuffer.Empty.Insert("ac").Left().Insert("b");
        Assert.Equal(("abc", 2), (line.Text, line.Cursor));
        Assert.Equal("ac", line.Backspace().Text);
        Assert.Equal("ab", line.Delete().Text);
    }

    [Fact]
    public void The_cursor_never_stops_inside_a_surrogate_pair()
    {
        var line = LineBuffer.Empty.Insert("a\U0001F600b");
        line = line.Left();
        Assert.Equal(3, line.Cursor);
        Assert.Equal(1, line.Left().Cursor);
        Assert.Equal("ab", line.Backspace().Text);
        Assert.Equal("ab", line.Left().Delete().Text);
    }

    [Fact]
    public void Words_are_jumped_over_and_cut()
    {
        var line = LineBuffer.Empty.Insert("to be  or not");
        Assert.Equal(10, line.WordLeft().Cursor);
        Assert.Equal(7, line.WordLeft().WordLeft().Cursor);
        Assert.Equal("to be  or ", line.CutWord().Text);
        Assert.Equal(2, line.Home().WordRight().Cursor);
        Assert.Equal("", line.CutToStart().Text);
        Assert.Equal("to", line.Home().WordRight().CutToEnd().Text);
    }

    [Fact]
    public void History_goes_up_and_down_and_keeps_what_was_being_typed()
    {
        var line = LineBuffer.Empty.Insert("one").Accept().Insert("two").Accept().Insert("dra");
        Assert.Equal("two", line.Up().Text);
        Assert.Equal("one", line.Up().Up().Text);
        Assert.Equal("one", line.Up().Up().Up().Text);
        Assert.Equal("dra", line.Up().Up().Down().Down().Text);
        Assert.Equal("dra", line.Down().Text);
    }

    [Fact]
    public void Blank_and_repeated_lines_leave_no_history()
    {
        var line = LineBuffer.Empty.Insert("one").Accept().Insert("one").Accept().Insert(" ").Accept();
        Assert.Equal(["one"], line.History);
    }

    [Theory]
    [InlineData(ConsoleKey.A, '\u0001', true, 0, "abc")]
    [InlineData(ConsoleKey.C, '\u0003', true, 0, "")]
    [InlineData(ConsoleKey.W, '\u0017', true, 0, "")]
    [InlineData(ConsoleKey.X, 'x', false, 4, "abcx")]
    [InlineData(ConsoleKey.F5, '\0', false, 3, "abc")]
    public void Keys_do_what_they_do_elsewhere(ConsoleKey key, char typed, bool control, int cursor, string text)
    {
        var line = LineEditor.Apply(LineBuffer.Empty.Insert("abc"), new ConsoleKeyInfo(typed, key, false, false, control));
        Assert.Equal((text, cursor), (line.Text, line.Cursor));
    }

    [Fact]
    public void A_line_longer_than_the_terminal_shows_the_part_around_the_cursor()
    {
        var line = LineBuffer.Empty.Insert("0123456789");
        Assert.Equal(("6789", 4), EditorView.Window(line.Text, line.Cursor, room: 5));
        Assert.Equal(("01234", 0), EditorView.Window(line.Text, 0, room: 5));
        Assert.Equal(("0123456789", 10), EditorView.Window(line.Text, line.Cursor, room: 80));
        // Two cells each.
        Assert.Equal(("漢字", 4), EditorView.Window("漢字漢字", 4, room: 5));
    }

    [Fact]
    public void In_several_lines_the_cursor_moves_by_lines_and_history_begins_at_their_ends()
    {
        var line = LineBuffer.Empty.Insert("old").Accept().Insert("first line\n2nd\nthe third");
        Assert.Equal("first line\n2nd".Length, line.Up().Cursor);
        Assert.Equal(3, line.Up().Up().Cursor);
        Assert.Equal("old", line.Up().Up().Up().Text);
        Assert.Equal(line.Text, line.Up().Up().Up().Down().Text);
        Assert.Equal("first line\n2nd".Length, line.Up().Up().Down().Cursor);
        Assert.Equal("first line\n".Length, line.Up().Home().Cursor);
        Assert.Equal("first line\n\nthe third", line.Up().CutToStart().Text);
        Assert.Equal("first line\n2nd\n", line.Home().CutToEnd().Text);
    }

    [Theory]
    [InlineData("abc", ConsoleModifiers.None, true)]
    [InlineData("abc\\", ConsoleModifiers.None, false)]
    [InlineData("abc", ConsoleModifiers.Alt, false)]
    [InlineData("abc", ConsoleModifiers.Control, false)]
    public void Enter_ends_a_message_unless_another_line_is_asked_for(string text, ConsoleModifiers modifiers, bool ends)
    {
        var line = LineBuffer.Empty.Insert(text);
        var key = new ConsoleKeyInfo('\r', ConsoleKey.Enter, false, modifiers == ConsoleModifiers.Alt, modifiers == ConsoleModifiers.Control);
        Assert.Equal(ends, LineEditor.EndsMessage(line, key));
        if (!ends) Assert.Equal("abc\n", LineEditor.Apply(line, key).Text);
    }

    [Fact]
    public void History_is_bounded_and_taken_over_from_earlier_runs()
    {
        var line = LineBuffer.WithHistory(Enumerable.Range(0, 1500).Select(i => $"{i}"));
        Assert.Equal(LineBuffer.MaxHistory, line.History.Count);
        Assert.Equal("1499", line.Up().Text);
        line = line.Insert("new").Accept();
        Assert.Equal((LineBuffer.MaxHistory, "501", "new"), (line.History.Count, line.History[0], line.History[^1]));
    }
}
