using ActorLlama.Protocol;
using ActorLlama.TestKit;

namespace ActorLlama.Cli.Tests;

public sealed class DialogFileTests : IDisposable
{
    private static readonly ChatState s_empty = new(true, new SamplingOptions(0.6, 0.9, 0, 0), null, 256, true, []);
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_dialog_comes_back_as_it_was_saved()
    {
        var path = _folder.PathOf("dialog.json");
        var state = (s_empty with { System = "Be brief." }).Answered("Grüße,\n\"Ω\"", "two\nlines <|eot|>");
        DialogFile.Save(path, "bard", state);
        DialogFile.Save(path, "bard", state);
        var loaded = DialogFile.Load(path, s_empty);
        Assert.Equal(state.System, loaded.System);
        Assert.Equal(state.Dialog.AsEnumerable(), loaded.Dialog);
        Assert.Equal([path], Directory.GetFiles(_folder.Path));
    }

    [Theory]
    [InlineData("nothing.json", null, "does not exist")]
    [InlineData("notes.txt", "my notes", "no dialog that /save wrote")]
    [InlineData("other.json", """{"format":"other","version":1,"is_chat":true,"turns":[]}""", "no dialog that /save wrote")]
    [InlineData("turns.json", """{"format":"actorllama-dialog","version":1,"is_chat":true,"turns":[{"role":"cook","content":"x"}]}""", "no dialog that /save wrote")]
    public void A_file_that_is_no_dialog_is_refused_by_name(string name, string? content, string rule)
    {
        var path = _folder.PathOf(name);
        if (content is not null) File.WriteAllText(path, content);
        var fault = Assert.Throws<InvalidDataException>(() => DialogFile.Load(path, s_empty));
        Assert.Contains($"\"{path}\"", fault.Message, StringComparison.Ordinal);
        Assert.Contains(rule, fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_of_somebody_else_is_not_overwritten()
    {
        var path = _folder.PathOf("notes.txt");
        File.WriteAllText(path, "my notes");
        Assert.Contains("Choose another name", Assert.Throws<InvalidDataException>(() => DialogFile.Save(path, "bard", s_empty)).Message, StringComparison.Ordinal);
        Assert.Equal("my notes", File.ReadAllText(path));
    }

    [Fact]
    public void A_chat_cannot_go_on_where_a_model_only_completes()
    {
        var path = _folder.PathOf("dialog.json");
        DialogFile.Save(path, "bard", s_empty);
        Assert.Contains("is a chat", Assert.Throws<InvalidDataException>(() => DialogFile.Load(path, s_empty with { IsChat = false })).Message, StringComparison.Ordinal);
    }
}
