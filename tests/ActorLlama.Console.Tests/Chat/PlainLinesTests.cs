namespace ActorLlama.Cli.Tests;

public sealed class PlainLinesTests
{
    [Fact]
    public void Piped_lines_are_messages_as_they_are()
    {
        var lines = new PlainLines(new StringReader("one\ntwo\\\nthree"), isTyped: false);
        Assert.Equal(["one", "two\\", "three", null], Enumerable.Range(0, 4).Select(_ => lines.Read()));
    }

    [Theory]
    [InlineData("safe text\n\twith lines", "safe text\n\twith lines")]
    [InlineData("\u001b[2Jgone\u0007\u009b31m\r\n", "\ufffd[2Jgone\ufffd\ufffd31m\n")]
    public void A_terminal_obeys_nothing_that_a_model_writes(string text, string shown) => Assert.Equal(shown, Screen.Safe(text));
}
