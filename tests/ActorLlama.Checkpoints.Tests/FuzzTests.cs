using System.Formats.Tar;
using System.IO.Compression;
using ActorLlama.Checkpoints.Fuzz;
using ActorLlama.TestKit;

namespace ActorLlama.Checkpoints.Tests;

/// <summary>
/// The short form of <c>scripts/fuzz-parsers.sh</c>: the inputs that its coverage-guided runs kept, and seeded mutations of them, against <see cref="ParserContract"/>.
/// </summary>
public sealed class FuzzTests
{
    private const int Mutants = 4000;

    private static readonly byte[][] Pieces =
    [
        [], [0], [255], "}"u8.ToArray(), "]"u8.ToArray(), "\""u8.ToArray(), "-"u8.ToArray(), "9223372036854775807"u8.ToArray(), [255, 255, 255, 255], [255, 255, 255, 255, 255, 255, 255, 127],
        [0x80, 2], "q\0"u8.ToArray(), "h\0"u8.ToArray(), "tR"u8.ToArray(), "cos\nsystem\n"u8.ToArray(), "PK\u0001\u0002"u8.ToArray(), "PK\u0005\u0006"u8.ToArray(),
    ];

    public static TheoryData<string> Targets => [.. ParserContract.Targets];

    [Theory]
    [MemberData(nameof(Targets))]
    public void Any_bytes_are_accepted_or_refused_in_one_line_soon_and_within_their_size_class(string target)
    {
        var corpus = Corpus(target);
        using var contract = new ParserContract(target);
        var answers = corpus.Select(contract.Check).ToList();
        Assert.Contains(null, answers);
        Assert.True(answers.Distinct().Count() > 5, "the corpus reaches few rules");
        var random = new Random(20);
        for (var i = 0; i < Mutants; i++) contract.Check(Mutated(corpus[random.Next(corpus.Count)], corpus[random.Next(corpus.Count)], random));
    }

    private static List<byte[]> Corpus(string target)
    {
        using var archive = File.OpenRead(Path.Combine(Shared.RepositoryRoot, "tests", "ActorLlama.Checkpoints.Fuzz", "corpus", $"{target}.tar.gz"));
        using var reader = new TarReader(new GZipStream(archive, CompressionMode.Decompress));
        var inputs = new List<byte[]>();
        while (reader.GetNextEntry() is { } entry)
        {
            using var input = new MemoryStream();
            entry.DataStream?.CopyTo(input);
            inputs.Add(input.ToArray());
        }
        return inputs;
    }

    /// <summary>A few pieces of an input replaced: by other bytes, by pieces that mean something, by its own or another's pieces, or by nothing.</summary>
    private static byte[] Mutated(byte[] input, byte[] other, Random random)
    {
        for (var changes = random.Next(1, 5); changes > 0; changes--)
        {
            var at = random.Next(input.Length + 1);
            var end = Math.Min(input.Length, at + random.Next(9));
            byte[] piece = random.Next(4) switch
            {
                0 => [(byte)random.Next(256)],
                1 => Pieces[random.Next(Pieces.Length)],
                2 => Cut(other, random),
                _ => Cut(input, random),
            };
            input = [.. input[..at], .. piece, .. input[end..]];
        }
        return input;
    }

    private static byte[] Cut(byte[] bytes, Random random)
    {
        var at = random.Next(bytes.Length + 1);
        return bytes[at..Math.Min(bytes.Length, at + random.Next(40))];
    }
}
