using ActorLlama.Protocol;

namespace ActorLlama.Cli.Tests;

public sealed class ChatStateTests
{
    private static readonly ChatState s_chat = new(true, new SamplingOptions(0.6, 0.9, 0, 0), null, 256, true, []);

    [Fact]
    public void A_dialog_grows_by_both_turns_and_is_sent_whole()
    {
        var state = s_chat.Answered("Hi", "Hello");
        Assert.Equal(
            [new ChatTurn("user", "Hi"), new ChatTurn("assistant", "Hello"), new ChatTurn("user", "Bye")],
            state.RequestFor("Bye").Prompt.Dialog!.Value.ToArray());
        Assert.Empty(state.Run("/reset").Next.Dialog);
    }

    [Fact]
    public void A_base_model_completes_each_line_on_its_own()
    {
        var state = (s_chat with { IsChat = false }).Answered("ROMEO:", " O");
        Assert.Equal(["ROMEO:", " O"], state.Dialog.Select(t => t.Content));
        Assert.Equal(new Prompt(null, "JULIET:", null), state.RequestFor("JULIET:").Prompt);
    }

    [Fact]
    public void Commands_set_what_the_next_request_asks_for()
    {
        var state = s_chat.Run("/temp 0").Next.Run("/top-p 0.5").Next.Run("/seed 7").Next.Run("/max 12").Next;
        var request = state.RequestFor("x");
        Assert.Equal(new SamplingOptions(0, 0.5, 0, 7), request.Sampling);
        Assert.Equal(12, request.MaxTokens);
        Assert.Null(state.Run("/seed off").Next.Seed);
        Assert.False(state.Run("/stats").Next.ShowStats);
        Assert.Equal("max 12", state.Run("/max").Say);
    }

    [Theory]
    [InlineData("/temp hot", "\"hot\"")]
    [InlineData("/temp -1", "\"-1\"")]
    [InlineData("/top-p 0", "\"0\"")]
    [InlineData("/top-p 2", "\"2\"")]
    [InlineData("/seed -3", "\"-3\"")]
    [InlineData("/max 0", "\"0\"")]
    [InlineData("/dance", "\"/dance\"")]
    [InlineData("/save", "/save needs the name of a file")]
    [InlineData("/load ", "/load needs the name of a file")]
    public void Bad_values_and_unknown_commands_change_nothing_and_say_so(string line, string part)
    {
        var step = s_chat.Run(line);
        Assert.Same(s_chat, step.Next);
        Assert.Contains(part, step.Say, StringComparison.Ordinal);
    }

    [Fact]
    public void The_system_text_comes_first_and_answers_end_before_stops()
    {
        var state = s_chat.Run("/system Be brief.").Next.Answered("Hi", "Hello").Run("/stop END").Next.Run("/stop a\\nb").Next;
        var request = state.RequestFor("Bye");
        Assert.Equal(["system", "user", "assistant", "user"], request.Prompt.Dialog!.Value.Select(t => t.Role));
        Assert.Equal("Be brief.", request.Prompt.Dialog!.Value[0].Content);
        Assert.Equal(["END", "a\nb"], request.StopStrings.AsEnumerable());
        Assert.Equal("stop: \"END\", \"a\\nb\"", state.Run("/stop").Say);
        Assert.Equal("system: Be brief.", state.Run("/system").Say);
        Assert.Empty(state.Run("/stop off").Next.RequestFor("x").StopStrings);
        Assert.Equal(["user"], state.Run("/system off").Next.Run("/reset").Next.RequestFor("x").Prompt.Dialog!.Value.Select(t => t.Role));
        Assert.Null((s_chat with { IsChat = false }).Run("/system x").Next.System);
    }

    [Fact]
    public void Commands_that_only_the_console_can_do_are_asked_of_it()
    {
        Assert.Equal((ChatState.Request.ShowExperts, ""), Asked("/experts"));
        Assert.Equal((ChatState.Request.Save, "my dialog.json"), Asked("/save my dialog.json"));
        Assert.Equal((ChatState.Request.Load, "d.json"), Asked("/load  d.json "));
        Assert.Contains("not yet", s_chat.Run("/image x.png").Say, StringComparison.Ordinal);

        static (ChatState.Request, string) Asked(string line) => s_chat.Run(line) is var step ? (step.Request, step.Argument) : default;
    }

    [Fact]
    public void Help_lists_every_command()
    {
        var help = s_chat.Run("/help").Say!;
        foreach (var command in new[] { "/help", "/temp", "/top-p", "/seed", "/max", "/stats", "/cluster", "/reset", "/quit", "/system", "/stop", "/experts", "/save", "/load", "/image" })
            Assert.Contains(command, help, StringComparison.Ordinal);
        Assert.Equal(ChatState.Request.Quit, s_chat.Run("/quit").Request);
        Assert.Equal(ChatState.Request.Quit, s_chat.Run("/exit").Request);
        Assert.Equal(ChatState.Request.ShowCluster, s_chat.Run("/cluster").Request);
    }
}
