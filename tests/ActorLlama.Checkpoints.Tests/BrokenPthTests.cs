using System.Buffers.Binary;
using System.Text;
using ActorLlama.TestKit;

namespace ActorLlama.Checkpoints.Tests;

/// <summary>Files of PyTorch that are broken or want to do harm: one clear error each, and nothing run.</summary>
public sealed class BrokenPthTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("cos\nsystem\n(X\u0003\0\0\0lsu\u0001tR.", "os.system")]
    [InlineData("c__builtin__\neval\n(X\u0001\0\0\01tR.", "__builtin__.eval")]
    [InlineData("cposix\nsystem\n.", "posix.system")]
    [InlineData("ctorch._utils\n_rebuild_tensor\n.", "torch._utils._rebuild_tensor")]
    [InlineData("\u008c\u0002os\u008c\u0006system\u0093.", "os.system")]
    public void Foreign_names_are_refused_and_not_run(string pickle, string name)
    {
        var fault = Refused([0x80, 2, .. Encoding.Latin1.GetBytes(pickle)]);
        Assert.Contains($"asks for \"{name}\"", fault);
        Assert.Contains("nothing of it was run", fault);
    }

    [Theory]
    [InlineData("(S'x'\nio.", "opcode 0x53")]
    [InlineData("}(I1\nI2\nu.", "opcode 0x49")]
    [InlineData("\u0082\u0001.", "opcode 0x82")]
    [InlineData("}X\u0005\0\0\0ab", "inside a value of 5 bytes")]
    [InlineData("}h\u0001.", "recalls value 1, which it never remembered")]
    [InlineData("}(K\u0001u.", "1 keys and values")]
    [InlineData("u.", "takes a value that is not there")]
    [InlineData("K\u0001K\u0002.", "1 values left over")]
    [InlineData("K\u0001.", "no dictionary of tensors")]
    [InlineData("}K\u0001K\u0002s.", "a key in its dictionary that is no text")]
    [InlineData("}", "inside a value of 1 bytes")]
    [InlineData("]K\u0001Q.", "refers to a storage that is none")]
    [InlineData("K\u0001)R.", "calls what is no function")]
    [InlineData("\u008a\u0009\u0001\u0001\u0001\u0001\u0001\u0001\u0001\u0001\u0001.", "a number of 9 bytes")]
    public void Broken_pickles_are_refused(string pickle, string what) => Assert.Contains(what, Refused([0x80, 2, .. Encoding.Latin1.GetBytes(pickle)]));

    [Theory]
    [InlineData(1)]
    [InlineData(6)]
    public void Other_protocols_are_refused(byte version) => Assert.Contains($"pickle protocol {version}", Refused([0x80, version, (byte)'}', (byte)'.']));

    [SharedFact]
    public void A_file_cut_off_anywhere_is_refused()
    {
        var whole = File.ReadAllBytes(Shared.PathOf("fixtures/tiny-scout-meta/consolidated.00.pth"));
        var random = new Random(7);
        int[] lengths = [0, 1, 3, 21, 22, 29, 30, 100, whole.Length - 1, whole.Length - 21, whole.Length - 22, whole.Length - 23, whole.Length - 98, .. Enumerable.Range(0, 40).Select(_ => random.Next(whole.Length))];
        foreach (var length in lengths)
        {
            File.WriteAllBytes(Path, whole[..length]);
            Assert.Contains("has no zip directory at its end", Refused());
        }
    }

    [SharedFact]
    public void Flipped_bytes_of_names_places_and_pickle_are_refused_or_harmless()
    {
        var whole = File.ReadAllBytes(Shared.PathOf("fixtures/tiny-maverick-meta/consolidated.00.pth"));
        var random = new Random(11);
        var directory = (int)BinaryPrimitives.ReadUInt32LittleEndian(whole.AsSpan(whole.Length - 6));
        File.WriteAllBytes(Path, whole);
        for (var i = 0; i < 1500; i++)
        {
            // The pickle lies at the start, the directory at the end; tensors between them carry no structure.
            var at = random.Next(2) == 0 ? random.Next(20_000) : random.Next(directory, whole.Length);
            Put(at, (byte)random.Next(256));
            try
            {
                using var file = PthFile.Open(Path);
                foreach (var key in file.Keys) file.Find(key);
            }
            catch (InvalidDataException fault)
            {
                Assert.Contains("a.pth", fault.Message);
                Assert.DoesNotContain('\n', fault.Message);
            }
            Put(at, whole[at]);
        }

        void Put(int at, byte value)
        {
            using var file = File.OpenWrite(Path);
            file.Position = at;
            file.WriteByte(value);
        }
    }

    [Fact]
    public void Compressed_entries_are_refused()
    {
        using (var zip = System.IO.Compression.ZipFile.Open(Path, System.IO.Compression.ZipArchiveMode.Create))
        using (var entry = zip.CreateEntry("a/data.pkl").Open())
            entry.Write(new byte[10_000_000]);
        Assert.Contains("\"a/data.pkl\" compressed", Refused());
    }

    [Theory]
    [InlineData("../a/data.pkl")]
    [InlineData("/a/data.pkl")]
    [InlineData("a/../../data.pkl")]
    [InlineData("a\\data.pkl")]
    public void Names_that_lead_out_of_the_archive_are_refused(string name)
    {
        WriteZip((name, "x"u8.ToArray()));
        Assert.Contains("leads out of the archive", Refused());
    }

    [Fact]
    public void Entries_that_share_a_name_are_refused()
    {
        WriteZip(("a/data.pkl", "x"u8.ToArray()), ("a/data.pkl", "y"u8.ToArray()));
        Assert.Contains("\"a/data.pkl\" twice", Refused());
    }

    [Fact]
    public void An_archive_without_pickle_is_refused()
    {
        WriteZip(("a/data/0", "x"u8.ToArray()));
        Assert.Contains("it is no PyTorch archive", Refused());
    }

    [Fact]
    public void Big_endian_files_are_refused()
    {
        WriteZip(("a/data.pkl", "}."u8.ToArray()), ("a/byteorder", "big"u8.ToArray()));
        Assert.Contains("big-endian", Refused());
    }

    [Theory]
    [InlineData(2, 4, 0, 2, 1, "ends beyond its storage")]
    [InlineData(2, 2, 0, long.MaxValue, 1, "more elements than 64 bits can count")]
    [InlineData(3, 3, 0, 0, 0, "weights do not repeat")]
    [InlineData(2, 2, 1, 2, 1, "ends beyond its storage")]
    [InlineData(2, 2, long.MaxValue, 2, 1, "64 bits can count")]
    public void Tensors_outside_their_storage_are_refused(long rows, long columns, long offset, long rowStride, long columnStride, string what)
    {
        WriteZip(("a/data.pkl", Pickle(rows, columns, offset, rowStride, columnStride, 4)), ("a/data/0", new byte[8]));
        Assert.Contains(what, Refused());
    }

    [Fact]
    public void A_storage_shorter_than_it_claims_is_refused()
    {
        WriteZip(("a/data.pkl", Pickle(2, 2, 0, 2, 1, 4)), ("a/data/0", new byte[7]));
        Assert.Contains("of which the archive holds 3", Refused());
    }

    [Fact]
    public void A_storage_that_is_missing_is_named()
    {
        WriteZip(("a/data.pkl", Pickle(2, 2, 0, 2, 1, 4)));
        Assert.Contains("lies in storage \"0\", which the archive does not hold", Refused());
    }

    [Theory]
    [InlineData(0, 5, 5, 1, true)]
    [InlineData(0, 5, 5, 1, false)]
    [InlineData(long.MaxValue / 2, 0, 5, 1, true)]
    public void An_empty_tensor_is_read_whether_its_storage_is_there_or_not(long rows, long columns, long rowStride, long columnStride, bool isStored)
    {
        WriteZip([("a/data.pkl", Pickle(rows, columns, 0, rowStride, columnStride, 0)), .. isStored ? new[] { ("a/data/0", Array.Empty<byte>()) } : []]);
        using var inspection = WeightInspection.Open(Path);
        var tensor = Assert.Single(inspection.Tensors);
        Assert.Equal([rows, columns], tensor.Shape.AsEnumerable());
        Assert.Equal(0, tensor.Bytes);
        Assert.Equal(0, inspection.Statistics("w")!.NaN);
    }

    [Fact]
    public void An_empty_tensor_is_written_and_read_again()
    {
        WriteZip(("a/data.pkl", Pickle(0, 5, 0, 5, 1, 0)));
        using var file = PthFile.Open(Path);
        PthWriter.Write(_folder.PathOf("b.pth"), [("v", file.Find("w")!)], null, _ => { }, default);
        using var again = PthFile.Open(_folder.PathOf("b.pth"));
        Assert.Equal([0, 5], again.Find("v")!.Shape.AsEnumerable());
    }

    [Fact]
    public void A_turned_view_with_an_offset_is_read_as_it_is_seen()
    {
        WriteZip(("a/data.pkl", Pickle(2, 3, 1, 1, 2, 7)), ("a/data/0", [0, 0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0]));
        using var file = PthFile.Open(Path);
        var bytes = new byte[12];
        new ViewReader(file.Find("w")!).Read(0, bytes);
        Assert.Equal([1, 0, 3, 0, 5, 0, 2, 0, 4, 0, 6, 0], bytes);
    }

    private string Path => _folder.PathOf("a.pth");

    private string Refused(byte[] pickle)
    {
        WriteZip(("a/data.pkl", pickle));
        return Refused();
    }

    private string Refused()
    {
        var fault = Assert.Throws<InvalidDataException>(() =>
        {
            using var file = PthFile.Open(Path);
            foreach (var key in file.Keys) file.Find(key);
        });
        Assert.Contains("a.pth", fault.Message);
        Assert.DoesNotContain('\n', fault.Message);
        return fault.Message;
    }

    /// <summary>{"w": a matrix of bfloat16 in storage "0"}.</summary>
    private static byte[] Pickle(long rows, long columns, long offset, long rowStride, long columnStride, int elements)
    {
        using var stream = new MemoryStream();
        void Text(string text) => stream.Write([(byte)'X', (byte)text.Length, 0, 0, 0, .. Encoding.UTF8.GetBytes(text)]);
        void Whole(long value)
        {
            stream.Write([0x8a, 8]);
            stream.Write(BitConverter.GetBytes(value));
        }
        stream.Write([0x80, 2, (byte)'}']);
        Text("w");
        stream.Write("ctorch._utils\n_rebuild_tensor_v2\n(("u8);
        Text("storage");
        stream.Write("ctorch\nBFloat16Storage\n"u8);
        Text("0");
        Text("cpu");
        Whole(elements);
        stream.Write("tQ"u8);
        Whole(offset);
        Whole(rows);
        Whole(columns);
        stream.WriteByte(0x86);
        Whole(rowStride);
        Whole(columnStride);
        stream.Write([0x86, 0x89]);
        stream.Write("ccollections\nOrderedDict\n)RtRs."u8);
        return stream.ToArray();
    }

    /// <summary>A zip archive of stored entries, whatever their names.</summary>
    private void WriteZip(params (string Name, byte[] Content)[] entries)
    {
        using var stream = new MemoryStream();
        using var directory = new MemoryStream();
        foreach (var (name, content) in entries)
        {
            var (path, at) = (Encoding.UTF8.GetBytes(name), (int)stream.Position);
            void Common(Stream to)
            {
                to.Write([10, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
                to.Write(new byte[4]);
                to.Write(BitConverter.GetBytes(content.Length));
                to.Write(BitConverter.GetBytes(content.Length));
                to.Write(BitConverter.GetBytes((ushort)path.Length));
                to.Write(new byte[2]);
            }
            stream.Write("PK\u0003\u0004"u8);
            Common(stream);
            stream.Write(path);
            stream.Write(content);
            directory.Write("PK\u0001\u0002\u000a\0"u8);
            Common(directory);
            directory.Write(new byte[10]);
            directory.Write(BitConverter.GetBytes(at));
            directory.Write(path);
        }
        var begin = (int)stream.Position;
        stream.Write(directory.ToArray());
        stream.Write("PK\u0005\u0006\0\0\0\0"u8);
        stream.Write(BitConverter.GetBytes((ushort)entries.Length));
        stream.Write(BitConverter.GetBytes((ushort)entries.Length));
        stream.Write(BitConverter.GetBytes((int)directory.Length));
        stream.Write(BitConverter.GetBytes(begin));
        stream.Write(new byte[2]);
        File.WriteAllBytes(Path, stream.ToArray());
    }
}
