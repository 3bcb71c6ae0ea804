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
        Assert.Equal(("6789", 4), LineEditor.Window(line, room: 5));
        Assert.Equal(("01234", 0), LineEditor.Window(line.Home(), room: 5));
        Assert.Equal(("0123456789", 10), LineEditor.Window(line, room: 80));
        // Two cells each.
        Assert.Equal(("漢字", 4), LineEditor.Window(LineBuffer.Empty.Insert("漢字漢字"), room: 5));
    }
}
