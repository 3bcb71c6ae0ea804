using System.Text;
using ActorLlama.TestKit;
using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;

namespace ActorLlama.Text.Tests;

public sealed class TokenizerLearningTests : IDisposable
{
    private static readonly Arbitrary<string> s_texts = Gen.Frequency(
            (8, Gen.Elements("a", "b", "c", "ab", "A", " ", " ", "\n", "é", "中", "aaaa", "abcabc", "1", "22")), (1, Gen.Elements("😀", "'s", "/", "\r\n", "  ")))
        .ListOf().Where(parts => parts.Count > 0).Select(string.Concat).ToArbitrary();

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void The_most_frequent_neighbours_come_first_and_of_equals_the_first_by_bytes()
    {
        // "ab" 4 times, then "abc" and "abd" twice each, then "xy" and "zy" once each.
        Assert.Equal(["ab", "abc", "abd", "xy", "zy"], Learned("abc\nabd\nabc\nabd\nxy\nzy\n", 261).Select(Encoding.UTF8.GetString));
    }

    /// <summary>"abcd" can be made of ab + cd as well as of abc + d: both count for it, and both become it.</summary>
    [Fact]
    public void A_token_is_the_same_whatever_it_is_made_of()
    {
        var learner = new MergeLearner([("abcd", 3), ("ab", 5), ("xcd", 4), ("abc", 2)]);
        Assert.True(learner.Step() && learner.Step() && learner.Step());
        Assert.Equal(["ab", "cd", "xcd"], learner.Tokens.Skip(256).Select(Encoding.UTF8.GetString));
        Assert.True(learner.Step());
        Assert.Equal("abcd", Encoding.UTF8.GetString(learner.Tokens[^1]));
        Assert.True(learner.Step());
        Assert.False(learner.Step());
        Assert.All(learner.Words, word => Assert.Single(word));
    }

    /// <summary>After each token the learner's pieces must be what encoding with the file makes of them, or its counts are of other neighbours.</summary>
    [Property(MaxTest = 200)]
    public Property The_text_is_split_while_learning_as_it_is_when_encoded() => Prop.ForAll(s_texts, Gen.Choose(0, 40).ToArbitrary(), (text, merges) =>
    {
        var counts = new PieceCounts();
        counts.Add(text);
        var learner = new MergeLearner(counts.Sorted);
        while (merges-- > 0 && learner.Step()) ;
        var tokenizer = Load([.. learner.Tokens.Select(token => (ReadOnlyMemory<byte>)token)]);
        return counts.Sorted.Zip(learner.Words).All(pair => tokenizer.Encode(pair.First.Piece).SequenceEqual(pair.Second) && ByRank(learner.Tokens, pair.First.Piece).SequenceEqual(pair.Second))
            .ToProperty();
    });

    [Property(MaxTest = 50)]
    public Property Counts_kept_as_words_change_are_those_of_counting_anew() => Prop.ForAll(s_texts, text =>
    {
        var counts = new PieceCounts();
        counts.Add(text);
        var pieces = counts.Sorted.ToArray();
        var learner = new MergeLearner(pieces);
        for (var step = 0; step < 20; step++)
        {
            var best = learner.Words.Zip(pieces)
                .SelectMany(pair => pair.First.Zip(pair.First.Skip(1), (left, right) => (Bytes: Convert.ToHexString([.. learner.Tokens[left], .. learner.Tokens[right]]), pair.Second.Count)))
                .GroupBy(found => found.Bytes).Select(group => (Count: group.Sum(found => found.Count), Bytes: group.Key))
                .OrderByDescending(found => found.Count).ThenBy(found => found.Bytes, StringComparer.Ordinal).FirstOrDefault();
            if (learner.Step() != (best.Count > 0)) return false.ToProperty();
            if (best.Count > 0 && Convert.ToHexString(learner.Tokens[^1]) != best.Bytes) return false.Label($"{step}: {best.Bytes}");
        }
        return true.ToProperty();
    });

    [SharedFact]
    public void Shakespeare_gives_a_vocabulary_that_reads_it_back_and_is_the_same_each_time()
    {
        var corpus = TextCorpus.Of(Shared.PathOf("data", "shakespeare.txt"));
        var entries = TokenizerLearning.Learn(corpus, 2048);
        Assert.Equal(entries.Select(Convert64), TokenizerLearning.Learn(corpus, 2048).Select(Convert64));
        var tokenizer = Load(entries);
        Assert.Equal(2048, tokenizer.EntryCount);
        var text = File.ReadAllText(Shared.PathOf("data", "shakespeare.txt"));
        var ids = tokenizer.Encode(text);
        Assert.Equal(text, tokenizer.Decode(ids));
        // No worse than the sample model's tokenizer, which has as many entries.
        Assert.InRange(ids.Length, 1, Tokenizers.Bard.Encode(text).Length);
        using var json = new MemoryStream();
        tokenizer.WriteJson(json);
        File.WriteAllBytes(_folder.PathOf("tokenizer.json"), json.ToArray());
        Assert.Equal(ids, LlamaTokenizer.Load(_folder.PathOf("tokenizer.json")).Encode(text));
    }

    [Fact]
    public void Long_runs_of_one_character_are_learned_in_time()
    {
        var learned = Learned(new string(' ', 25_000) + "\n" + new string('=', 20_000), 290);
        Assert.Contains(learned, token => token.Length >= 1024);
    }

    [Fact]
    public void Too_few_entries_and_too_little_text_are_errors()
    {
        File.WriteAllText(_folder.PathOf("t.txt"), "abc");
        Assert.Contains("255 entries are asked for", Assert.Throws<InvalidDataException>(() => TokenizerLearning.Learn(TextCorpus.Of(_folder.Path), 255)).Message, StringComparison.Ordinal);
        Assert.Contains("gives 258 entries, but 300", Assert.Throws<InvalidDataException>(() => TokenizerLearning.Learn(TextCorpus.Of(_folder.Path), 300)).Message, StringComparison.Ordinal);
        Assert.Equal(256, TokenizerLearning.Learn(TextCorpus.Of(_folder.Path), 256).Length);
    }

    /// <summary>Merging by rank, as plainly as it can be written.</summary>
    private static List<int> ByRank(IReadOnlyList<byte[]> tokens, string piece)
    {
        var ranks = tokens.Select((token, rank) => (Key: Convert.ToHexString(token), rank)).ToDictionary(pair => pair.Key, pair => pair.rank);
        var parts = Encoding.UTF8.GetBytes(piece).Select(value => new[] { value }).ToList();
        while (true)
        {
            var best = Enumerable.Range(0, parts.Count - 1).Select(at => (Rank: ranks.GetValueOrDefault(Convert.ToHexString([.. parts[at], .. parts[at + 1]]), int.MaxValue), at)).Append((int.MaxValue, 0)).Min();
            if (best.Item1 == int.MaxValue) return [.. parts.Select(part => ranks[Convert.ToHexString(part)])];
            parts[best.Item2] = [.. parts[best.Item2], .. parts[best.Item2 + 1]];
            parts.RemoveAt(best.Item2 + 1);
        }
    }

    private static string Convert64(ReadOnlyMemory<byte> bytes) => Convert.ToBase64String(bytes.Span);

    /// <summary>The tokens that are no single bytes.</summary>
    private byte[][] Learned(string text, int entries)
    {
        File.WriteAllText(_folder.PathOf("learn.txt"), text);
        return [.. TokenizerLearning.Learn(TextCorpus.Of(_folder.PathOf("learn.txt")), entries).Skip(256).Select(token => token.ToArray())];
    }

    private LlamaTokenizer Load(IReadOnlyList<ReadOnlyMemory<byte>> entries)
    {
        var path = _folder.PathOf($"{Guid.NewGuid():n}.model");
        TokenizerLearning.Write(path, entries);
        return LlamaTokenizer.Load(path);
    }
}
