using ActorLlama.TestKit;

namespace ActorLlama.Cli.Tests;

public sealed class HistoryFileTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private string Path => _folder.PathOf("state", "history");

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Messages_of_one_run_are_there_in_the_next_for_their_owner_only()
    {
        var first = new HistoryFile(Path);
        Assert.Empty(first.Read().Messages);
        string[] messages = ["plain", "two\nlines", @"back\slash \n and more", "  "];
        Assert.All(messages, m => Assert.Null(first.Add(m)));
        var (read, fault) = new HistoryFile(Path).Read();
        Assert.Equal(messages[..3], read);
        Assert.Null(fault);
        if (!OperatingSystem.IsWindows()) Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Path));
    }

    [Fact]
    public void The_file_is_bounded()
    {
        Directory.CreateDirectory(System.IO.Path.GetDirectoryName(Path)!);
        File.WriteAllLines(Path, Enumerable.Range(0, 3000).Select(i => $"{i} {new string('x', 700)}"));
        var read = new HistoryFile(Path).Read().Messages;
        Assert.Equal((LineBuffer.MaxHistory, "2000"), (read.Count, read[0].Split(' ')[0]));
        Assert.InRange(new FileInfo(Path).Length, 1, 1 << 19);
        Assert.StartsWith("2999 ", new HistoryFile(Path).Read().Messages[^1], StringComparison.Ordinal);
        Assert.Null(new HistoryFile(Path).Add(new string('y', 1 << 17)));
        Assert.InRange(new FileInfo(Path).Length, 1, 1 << 19);
    }

    [Fact]
    public void A_place_that_cannot_be_written_is_told_once()
    {
        File.WriteAllText(_folder.PathOf("state"), "a file where a folder should be");
        var history = new HistoryFile(Path);
        Assert.Contains($"\"{Path}\" cannot be written", history.Add("one"), StringComparison.Ordinal);
        Assert.Null(history.Add("two"));
    }
}
