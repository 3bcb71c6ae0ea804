using System.Globalization;
using System.Text.RegularExpressions;
using ActorLlama.TestKit;

namespace ActorLlama.Cli.Tests;

/// <summary><c>chat</c> on a real terminal, as a person uses it.</summary>
[Collection(ClusterCollection.Name)]
public sealed partial class ChatTerminalTests(ClusterFixture cluster) : IDisposable
{
    private const string Narrow = "The terminal has 40 columns";
    private const string AltEnter = "\u001b\r";
    private const string Up = "\u001b[A";
    private const string CtrlC = "\u0003";
    private const string CtrlD = "\u0004";
    private readonly TemporaryFolder _state = new();

    private string History => _state.PathOf("actorllama", "history");

    public void Dispose() => _state.Dispose();

    [Fact]
    public async Task A_person_types_edits_asks_stops_looks_saves_and_leaves()
    {
        Directory.CreateDirectory(Path.GetDirectoryName(History)!);
        await File.WriteAllTextAsync(History, "of an earlier run\n");
        using var terminal = Start("xterm-256color", ["--cluster", cluster.Address, "--temperature", "0"]);
        await terminal.WaitForAsync("/help lists commands", "greeting");

        terminal.Type(Up);
        await terminal.WaitForAsync("> of an earlier run", "history of an earlier run");
        terminal.Type($"{CtrlC}/max 12\r");
        await terminal.WaitForAsync("\nmax 12\n", "a setting");
        terminal.Type($"ROMEO:{AltEnter}second\u001b[200~\rthird, pasted\u001b[201~");
        await terminal.WaitForAsync("> ROMEO:\n  second\n  third, pasted", "three lines");
        terminal.Type("\r");
        var answered = await terminal.WaitAsync(text => Figures().IsMatch(text), "figures after an answer");
        Assert.Contains("12 tokens", answered, StringComparison.Ordinal);

        terminal.Type("/max 900\r/stop\rJULIET:\r");
        await terminal.WaitAsync(text => text.Contains("JULIET:\n", StringComparison.Ordinal) && text[text.LastIndexOf("JULIET:\n", StringComparison.Ordinal)..].Length > 30, "an answer that streams");
        terminal.Type(CtrlC);
        await terminal.WaitForAsync(", stopped", "Ctrl-C stops the answer");
        terminal.Type("/max 200\rNURSE:\r");
        await terminal.WaitAsync(text => text.Contains("NURSE:\n", StringComparison.Ordinal) && text[text.LastIndexOf("NURSE:\n", StringComparison.Ordinal)..].Length > 30, "another answer");
        terminal.Type("/seed 7\r");
        var ahead = await terminal.WaitForAsync("seed 7\n>", "what is typed while an answer streams is read after it");
        Assert.DoesNotContain("/seed", ahead[..ahead.LastIndexOf("200 tokens", StringComparison.Ordinal)], StringComparison.Ordinal);

        foreach (var (typed, said) in new[]
        {
            ("/dance", "\"/dance\" is no command"), ("/temp hot", "\"hot\" is no temperature"), ("/load /nowhere/d", "\"/nowhere/d\" does not exist"), ("/save /nowhere/d", "error: Could not find"),
            ("/image cat.png", "not yet"),
        })
        {
            terminal.Type($"{typed}\r");
            await terminal.WaitForAsync(said, typed);
        }

        terminal.Type("/cluster\r");
        var table = await terminal.WaitForAsync("KV cache", "the cluster's table");
        foreach (var part in new[] { "node-1", "node-2", "node-3", "cpu:0", "layers 0-7", "experts" }) Assert.Contains(part, table, StringComparison.Ordinal);
        terminal.Type("/experts\r");
        var map = await terminal.WaitForAsync("from none to", "the heat map");
        Assert.Equal(8, HeatRows().Count(map));
        Assert.Matches("Tokens by layer and expert since the shards were loaded: [1-9]", map);
        // As written: the screen would break a line that is too long.
        var drawn = Styles().Replace(terminal.Raw, "").Split("\r\n").SkipWhile(line => !line.Contains("Weights", StringComparison.Ordinal))
            .TakeWhile(line => !line.Contains("KV cache", StringComparison.Ordinal)).ToList();
        Assert.True(drawn.Count > 3, table);
        Assert.All(drawn, line => Assert.InRange(line.Length, 0, 80));
        Assert.Matches(Styles(), terminal.Raw);

        terminal.Resize(40, 24);
        terminal.Type("/cluster\r");
        // The program hears of its new size by a signal: it may draw the table once more before.
        var drawnAgain = await terminal.WaitAsync(text => text.Contains(Narrow, StringComparison.Ordinal) || text.Split("KV cache").Length > 2, "the table, or why there is none");
        if (!drawnAgain.Contains(Narrow, StringComparison.Ordinal)) terminal.Type("/cluster\r");
        await terminal.WaitForAsync(Narrow, "a terminal too narrow for the table");
        terminal.Type($"\u001b[200~{string.Join(' ', Enumerable.Repeat("x", 1100))}\u001b[201~\r");
        await terminal.WaitAsync(text => text.Replace('\n', ' ').Contains("1024", StringComparison.Ordinal), "a message longer than the context");
        var file = _state.PathOf("d.json");
        terminal.Type($"/save {file}\r");
        await terminal.WaitForAsync("saved 6 turns", "saving");
        terminal.Type(CtrlD);
        Assert.Equal(0, await terminal.ExitAsync());
        Assert.True(terminal.IsAsAShellWantsIt);
        Assert.Contains("ROMEO:\\nsecond\\nthird, pasted", await File.ReadAllLinesAsync(History));
        Assert.Contains("\"ROMEO:\\nsecond\\nthird, pasted\"", await File.ReadAllTextAsync(file), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_colour_the_text_is_as_it_is()
    {
        using var terminal = Start("xterm", ["--cluster", cluster.Address, "--temperature", "0", "--max-tokens", "4"], noColor: "1");
        await terminal.WaitForAsync("/help lists commands", "greeting");
        terminal.Type("ROMEO:\r/dance\r/experts\r/cluster\r");
        await terminal.WaitForAsync("KV cache", "the cluster's table");
        Assert.Matches(Figures(), terminal.Text);
        foreach (var said in new[] { "\"/dance\" is no command", "from none to", "node-3" }) Assert.Contains(said, terminal.Text, StringComparison.Ordinal);
        Assert.DoesNotMatch(Styles(), terminal.Raw);
        terminal.HangUp();
        Assert.NotEqual(0, await terminal.ExitAsync());
    }

    [Fact]
    public async Task On_a_terminal_that_can_only_print_everything_works_too()
    {
        using var terminal = Start("dumb", ["--cluster", cluster.Address, "--temperature", "0", "--max-tokens", "900"]);
        await terminal.WaitForAsync("/help lists commands", "greeting");
        terminal.Type("ROMEO:\\\rsecond\r");
        await terminal.WaitAsync(text => text.LastIndexOf("second", StringComparison.Ordinal) is var at and >= 0 && text[at..].Length > 40, "an answer that streams");
        terminal.Type(CtrlC);
        await terminal.WaitForAsync(", stopped", "Ctrl-C stops the answer");
        // What is typed before the prompt is there is echoed before it, and the prompt that is waited for below would be this one.
        await terminal.WaitAsync(text => text.EndsWith("\n>", StringComparison.Ordinal), "the next prompt");
        terminal.Type("forgotten\\\rline");
        await terminal.WaitAsync(text => text.LastIndexOf("forgotten", StringComparison.Ordinal) is var at and >= 0 && text[at..].Contains("line", StringComparison.Ordinal), "typing");
        terminal.Type(CtrlC);
        await terminal.WaitAsync(text => text.EndsWith("\n>", StringComparison.Ordinal), "Ctrl-C forgets what was typed");
        terminal.Type("/experts\r");
        await terminal.WaitForAsync("from none to", "the heat map");
        terminal.Type(CtrlD);
        Assert.Equal(0, await terminal.ExitAsync());
        Assert.DoesNotContain('\u001b', terminal.Raw);
        Assert.Equal(["ROMEO:\\nsecond", "/experts"], await File.ReadAllLinesAsync(History));
    }

    [Fact]
    public async Task A_cluster_lost_while_typing_is_told_and_the_dialog_is_kept()
    {
        using var terminal = Start("xterm", ["--model", ProgramRun.SampleModel, "--temperature", "0", "--max-tokens", "4"]);
        await terminal.WaitForAsync("/help lists commands", "greeting");
        // Of the spinner nothing is left but what was written.
        Assert.Contains("Starting", terminal.Raw, StringComparison.Ordinal);
        Assert.Contains("parts of the model", terminal.Raw, StringComparison.Ordinal);
        terminal.Type("ROMEO:\r");
        await terminal.WaitAsync(text => Figures().IsMatch(text), "an answer");
        terminal.Type("half a li");
        await terminal.WaitForAsync("> half a li", "typing");
        Assert.True(ProcessSignal.TrySend(ChildOf(terminal.Pid), ProcessSignal.Kill));
        await terminal.WaitAsync(text => text.Contains("does not answer. The\ndialog is kept", StringComparison.Ordinal) && text.EndsWith("> half a li", StringComparison.Ordinal), "the loss is told beside what is typed");
        terminal.Type("ne\r");
        await terminal.WaitForAsync("the message was not sent", "sending to nobody");
        var file = _state.PathOf("d.json");
        terminal.Type($"/save {file}\r");
        await terminal.WaitForAsync("saved 2 turns", "saving");
        terminal.Type(CtrlD);
        Assert.Equal(0, await terminal.ExitAsync());
        Assert.Contains("\"ROMEO:\"", await File.ReadAllTextAsync(file), StringComparison.Ordinal);
    }

    private PseudoTerminal Start(string kind, string[] arguments, string? noColor = null) => PseudoTerminal.Start(
        [ProgramPath.DotNet, ProgramPath.Program, "chat", .. arguments], columns: 80, rows: 24,
        new Dictionary<string, string?> { ["TERM"] = kind, ["XDG_STATE_HOME"] = _state.Path, ["NO_COLOR"] = noColor });

    private static int ChildOf(int parent) => Directory.GetDirectories("/proc")
        .Select(folder => int.TryParse(Path.GetFileName(folder), NumberStyles.None, CultureInfo.InvariantCulture, out var pid) ? pid : 0)
        .Single(pid => pid > 0 && ParentOf(pid) == parent);

    private static int ParentOf(int pid)
    {
        try
        {
            var stat = File.ReadAllText($"/proc/{pid}/stat");
            return int.Parse(stat[(stat.LastIndexOf(')') + 2)..].Split(' ')[1], CultureInfo.InvariantCulture);
        }
        catch (IOException)
        {
            return 0;
        }
    }

    [GeneratedRegex(@"\d+ tokens, \d+\.\d tokens/s, first after \d+ ms")]
    private static partial Regex Figures();

    [GeneratedRegex(@"^ +\d+ \|[ .:\-=+*#%@]{8}\|$", RegexOptions.Multiline)]
    private static partial Regex HeatRows();

    [GeneratedRegex("\u001b\\[[0-9;]*m")]
    private static partial Regex Styles();
}
