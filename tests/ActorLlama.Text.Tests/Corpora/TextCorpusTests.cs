using System.Text;
using ActorLlama.TestKit;
using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;

namespace ActorLlama.Text.Tests;

public sealed class TextCorpusTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_folder_gives_its_text_files_in_the_order_of_their_paths()
    {
        Directory.CreateDirectory(_folder.PathOf("b"));
        Write("z.txt", "last");
        Write("a.TXT", "first");
        Write("b/c.jsonl", "{\"text\":\"one\"}\r\n\n{\"id\":1,\"text\":\"two\"}\n");
        Write("b/notes.md", "not read");
        Write("empty.txt", "");
        var corpus = TextCorpus.Of(_folder.Path);
        Assert.Equal(["first", "one", "two", "last"], corpus.Read().Select(block => block.Text));
        Assert.All(corpus.Read(), block => Assert.True(block.BeginsDocument));
        Assert.Equal(["last", "first"], TextCorpus.Of(_folder.PathOf("z.txt"), _folder.PathOf("a.TXT")).Read().Select(block => block.Text));
    }

    [Fact]
    public void What_is_not_there_or_no_text_is_named()
    {
        Assert.Contains("\"/nowhere.txt\" does not exist", Fault(() => TextCorpus.Of("/nowhere.txt")), StringComparison.Ordinal);
        Assert.Contains("there is none", Fault(() => TextCorpus.Of(_folder.Path)), StringComparison.Ordinal);
        File.WriteAllBytes(_folder.PathOf("binary.txt"), [65, 0xFF, 66]);
        Assert.Contains("binary.txt\" is not UTF-8", Fault(() => TextCorpus.Of(_folder.PathOf("binary.txt")).Read().Count()), StringComparison.Ordinal);
        foreach (var line in (string[])["{\"text\":1}", "[]", "{", "{\"body\":\"x\"}", "{\"text\":\"\\ud800\"}"])
        {
            Write("bad.jsonl", "{\"text\":\"fine\"}\n" + line);
            Assert.Contains("the line at byte 16 of", Fault(() => TextCorpus.Of(_folder.PathOf("bad.jsonl")).Read().Count()), StringComparison.Ordinal);
        }
    }

    [Property(MaxTest = 100)]
    public Property Blocks_put_together_are_the_text_and_splitting_its_end_loses_nothing() => Prop.ForAll(
        Gen.Elements("a", "Bc ", "\n", "é", "😀", "12", "\n\n", "/", "\n中").ListOf().Select(string.Concat).ToArbitrary(), Gen.Choose(0, 99).ToArbitrary(), (text, percent) =>
        {
            Write("t.txt", text + "x");
            var corpus = TextCorpus.Of(_folder.PathOf("t.txt"));
            var (begin, end) = corpus.SplitEnd(percent / 100.0);
            var bytes = Encoding.UTF8.GetByteCount(text) + 1;
            return (TextOf(corpus) == text + "x" && TextOf(begin) + TextOf(end) == text + "x").Label("text")
                .And(begin.Bytes + end.Bytes == bytes && begin.Bytes - (bytes - Math.Floor(percent * bytes / 100.0)) is >= -1 and < 5).Label("bytes");
        });

    [Fact]
    public void Lines_of_json_are_split_between_lines()
    {
        Write("d.jsonl", string.Concat(Enumerable.Range(0, 10).Select(i => $"{{\"text\":\"{i}é\"}}\r\n")));
        var corpus = TextCorpus.Of(_folder.PathOf("d.jsonl"));
        foreach (var percent in Enumerable.Range(0, 100))
        {
            var (begin, end) = corpus.SplitEnd(percent / 100.0);
            Assert.Equal(Enumerable.Range(0, 10).Select(i => $"{i}é"), begin.Read().Concat(end.Read()).Select(block => block.Text));
        }
    }

    [Fact]
    public void Long_text_is_cut_where_no_token_lies_across_and_counted_whole()
    {
        var line = "The same line /again/, it's 123456 long!\n/ \n \n";
        Write("long.txt", "\ufeff" + string.Concat(Enumerable.Repeat(line, 20_000)) + new string('x', 5_000_000));
        var corpus = TextCorpus.Of(_folder.PathOf("long.txt"));
        var blocks = corpus.Read().ToArray();
        Assert.True(blocks.Length > 3);
        Assert.Equal(corpus.Bytes, blocks.Sum(block => block.SourceBytes));
        Assert.Equal(20_000 * line.Length + 5_000_000, blocks.Sum(block => block.Text.Length));
        Assert.Equal([true, .. Enumerable.Repeat(false, blocks.Length - 1)], blocks.Select(block => block.BeginsDocument));
        Assert.All(blocks[1..3], block => Assert.StartsWith("The same", block.Text, StringComparison.Ordinal));
    }

    [Property(MaxTest = 300)]
    public Property A_sure_cut_is_one_whatever_surrounds_it() => Prop.ForAll(
        Gen.Elements(" ", "\n", "\r", "/", "'", "s", "S", "é", "1", "!", "\u00a0", "中", "😀", "\u0301").ListOf().Select(string.Concat).ToArbitrary(), text =>
        {
            var cut = TextCut.LastSure(text);
            var whole = Pieces(text);
            return (cut == 0 || whole.SequenceEqual([.. Pieces(text[..cut]), .. Pieces(text[cut..])])).ToProperty();
        });

    private static List<string> Pieces(string text) => [.. new PiecePreTokenizer().PreTokenize(text).Select(piece => text.Substring(piece.Offset, piece.Length))];

    private static string TextOf(TextCorpus corpus) => string.Concat(corpus.Read().Select(block => block.Text));

    private static string Fault(Action act) => Assert.Throws<InvalidDataException>(act).Message;

    private static string Fault<T>(Func<T> act) => Assert.Throws<InvalidDataException>(() => { act(); }).Message;

    private void Write(string name, string text) => File.WriteAllText(_folder.PathOf(name), text, new UTF8Encoding(false));
}
