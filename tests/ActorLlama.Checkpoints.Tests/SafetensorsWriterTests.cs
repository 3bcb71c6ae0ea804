using System.Collections.Immutable;
using ActorLlama.TestKit;
using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;

namespace ActorLlama.Checkpoints.Tests;

public sealed class SafetensorsWriterTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    /// <summary>Small tensors of any kind, and a shard size that may part them.</summary>
    private static Arbitrary<(Small[] Tensors, long ShardBytes, int Threads)> Models()
    {
        var shapes = Gen.Choose(0, 3).SelectMany(rank => Gen.ArrayOf(Gen.Choose(0, 5).Select(size => (long)size), rank));
        var small =
            from type in Gen.Elements("U8", "F8_E4M3", "I16", "BF16", "F16", "F32", "I64", "F64")
            from shape in shapes
            from name in Gen.ArrayOf(Gen.Elements("weight", "é", "\"", "\n", "文", "😀", ".", " ", "\\")).Select(string.Concat)
            from seed in Gen.Choose(0, 1000)
            select (type, shape, name, seed);
        return (
            from tensors in Gen.ArrayOf(small)
            from shardBytes in Gen.Choose(1, 400)
            from threads in Gen.Choose(1, 3)
            select (tensors.Select((t, i) => new Small($"{i}{t.name}", t.type, [.. t.shape], t.seed)).ToArray(), (long)shardBytes, threads)).ToArbitrary();
    }

    [Property(MaxTest = 100)]
    public Property What_is_written_is_read_again() => Prop.ForAll(Models(), model =>
    {
        using var folder = new TemporaryFolder();
        new SafetensorsWriter(folder.Path) { ShardBytes = model.ShardBytes, Threads = model.Threads }.Write([.. model.Tensors.Select(t => t.ToWrite())]);
        using var shards = ShardSet.Open(folder.Path);
        Assert.Equal(model.Tensors.Select(t => t.Name).Order(StringComparer.Ordinal), shards.Keys.Order(StringComparer.Ordinal));
        foreach (var tensor in model.Tensors)
        {
            var (file, entry) = shards.Find(tensor.Name)!.Value;
            Assert.Equal(tensor.Type, entry.Type);
            Assert.Equal(tensor.Shape.ToArray(), entry.Shape.ToArray());
            var bytes = new byte[entry.Bytes];
            file.Read(entry.Offset, bytes);
            Assert.Equal(tensor.Bytes(), bytes);
            Assert.Equal(tensor.Bytes(), IndependentSafetensors.Read(file.Path)[tensor.Name]);
            SafetensorsType.TryGetBits(entry.Type, out var bits);
            Assert.Equal(0, entry.Offset % (bits / 8));
        }
        Assert.DoesNotContain(Directory.GetFiles(folder.Path), file => file.EndsWith(DurableFile.TemporarySuffix, StringComparison.Ordinal));
    });

    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    [InlineData(8)]
    public void A_piece_that_fails_ends_those_that_wait_for_it_and_is_what_is_told(long piece)
    {
        var tensor = new TensorToWrite("big", "U8", [9 << 20], (offset, _) =>
        {
            if (offset == piece << 20) throw new InvalidDataException("this one");
        });
        var fault = Assert.Throws<InvalidDataException>(() => new SafetensorsWriter(_folder.Path) { Threads = 3, States = [] }.Write([tensor]));
        Assert.Equal("this one", fault.Message);
        Assert.Empty(Directory.GetFiles(_folder.Path));
    }

    [Fact]
    public void Tensors_larger_than_a_chunk_arrive_whole()
    {
        const long bytes = (9 << 20) + 6;
        var tensor = new TensorToWrite("big", "BF16", [bytes / 2], (offset, span) =>
        {
            for (var i = 0; i < span.Length; i++) span[i] = (byte)((offset + i) * 31 >> 8);
        });
        var reports = new List<WriteProgress>();
        var states = new Dictionary<string, Manifest.FileState>();
        new SafetensorsWriter(_folder.Path) { Threads = 3, Progress = reports.Add, States = states }.Write([tensor]);
        var file = File.ReadAllBytes(_folder.PathOf("model.safetensors"));
        Assert.Equal(new Manifest.FileState(file.Length, Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(file))), states["model.safetensors"]);
        var read = IndependentSafetensors.Read(_folder.PathOf("model.safetensors"))["big"];
        Assert.Equal(bytes, read.Length);
        for (var i = 0; i < read.Length; i++)
            if (read[i] != (byte)((long)i * 31 >> 8)) Assert.Fail($"byte {i} is {read[i]}");
        Assert.Equal(10, reports.Count);
        Assert.Equal(new WriteProgress(bytes, bytes), reports[^1]);
        Assert.Equal(reports.Order(Comparer<WriteProgress>.Create((a, b) => a.WrittenBytes.CompareTo(b.WrittenBytes))), reports);
    }

    [Fact]
    public void Shards_are_bounded_and_numbered()
    {
        var tensors = Enumerable.Range(0, 5).Select(i => new Small($"t{i}", "U8", [i == 3 ? 300 : 60], i).ToWrite()).ToList();
        new SafetensorsWriter(_folder.Path) { ShardBytes = 128 }.Write(tensors);
        Assert.Equal(
            ["model-00001-of-00004.safetensors", "model-00002-of-00004.safetensors", "model-00003-of-00004.safetensors", "model-00004-of-00004.safetensors", "model.safetensors.index.json"],
            Directory.GetFiles(_folder.Path).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        using var shards = ShardSet.Open(_folder.Path);
        Assert.Equal([2, 1, 1, 1], shards.Files.Select(file => file.Entries.Length));
    }

    [Fact]
    public void A_failing_source_leaves_the_folder_as_it_was()
    {
        new SafetensorsWriter(_folder.Path).Write([new Small("a", "U8", [5], 1).ToWrite()]);
        var before = File.ReadAllBytes(_folder.PathOf("model.safetensors"));
        var fault = Assert.Throws<IOException>(() => new SafetensorsWriter(_folder.Path).Write(
            [new Small("a", "U8", [5], 2).ToWrite(), new TensorToWrite("b", "U8", [5], (_, _) => throw new IOException("gone"))]));
        Assert.Equal("gone", fault.Message);
        Assert.Equal([_folder.PathOf("model.safetensors")], Directory.GetFileSystemEntries(_folder.Path));
        Assert.Equal(before, File.ReadAllBytes(_folder.PathOf("model.safetensors")));
    }

    [Fact]
    public void A_cancelled_write_leaves_nothing()
    {
        using var cancellation = new CancellationTokenSource();
        var tensor = new TensorToWrite("a", "U8", [100 << 20], (_, _) => cancellation.Cancel());
        Assert.Throws<OperationCanceledException>(() => new SafetensorsWriter(_folder.Path) { Threads = 1 }.Write([tensor], cancellation.Token));
        Assert.Empty(Directory.GetFileSystemEntries(_folder.Path));
    }

    [Theory]
    [InlineData("a", "a")]
    [InlineData("a", "__metadata__")]
    public void Names_are_unique(string first, string second)
    {
        var fault = Assert.Throws<ArgumentException>(() => new SafetensorsWriter(_folder.Path).Write(
            [new Small(first, "U8", [1], 1).ToWrite(), new Small(second, "U8", [1], 1).ToWrite()]));
        Assert.Contains($"\"{second}\"", fault.Message);
    }

    [Fact]
    public void An_unknown_dtype_cannot_be_written() =>
        Assert.Contains("\"BF17\"", Assert.Throws<ArgumentException>(() => new Small("a", "BF17", [1], 1).ToWrite()).Message);

    /// <summary>A tensor whose bytes follow from a seed.</summary>
    private sealed record Small(string Name, string Type, ImmutableArray<long> Shape, int Seed)
    {
        public byte[] Bytes()
        {
            SafetensorsType.TryGetBits(Type, out var bits);
            var bytes = new byte[Shape.Aggregate(1L, (product, size) => product * size) * bits / 8];
            new Random(Seed).NextBytes(bytes);
            return bytes;
        }

        public TensorToWrite ToWrite() => new(Name, Type, Shape, (offset, bytes) => Bytes().AsSpan((int)offset, bytes.Length).CopyTo(bytes));
    }
}
