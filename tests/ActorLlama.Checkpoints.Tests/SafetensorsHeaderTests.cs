using System.Buffers.Binary;
using System.Text;
using ActorLlama.TestKit;

namespace ActorLlama.Checkpoints.Tests;

public sealed class SafetensorsHeaderTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    /// <summary>Header, bytes of data, and what the message must say beside the file's name.</summary>
    public static TheoryData<string, int, string[]> Broken => new()
    {
        { """{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}""", 8, ["no valid JSON"] },
        { """["x"]""", 0, ["opening brace"] },
        { """<!DOCTYPE html><html></html>""", 0, ["opening brace"] },
        { """{"x":7}""", 0, ["\"x\"", "no JSON object"] },
        { """{"x":{"dtype":"Q9","shape":[2],"data_offsets":[0,8]}}""", 8, ["\"x\"", "\"Q9\"", "does not know"] },
        { """{"x":{"shape":[2],"data_offsets":[0,8]}}""", 8, ["\"x\"", "\"dtype\""] },
        { """{"x":{"dtype":"F32","data_offsets":[0,8]}}""", 8, ["\"x\"", "\"shape\""] },
        { """{"x":{"dtype":"F32","shape":[2]}}""", 8, ["\"x\"", "\"data_offsets\""] },
        { """{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"stride":1}}""", 8, ["\"x\"", "\"stride\"", "allowed are"] },
        { """{"x":{"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", 8, ["\"x\"", "\"dtype\" twice"] },
        { """{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", 8, ["\"x\"", "twice"] },
        { """{"x":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}""", 8, ["\"x\"", "\"-2\"", "\"shape\"", "whole number from 0"] },
        { """{"x":{"dtype":"F32","shape":[1.5],"data_offsets":[0,8]}}""", 8, ["\"x\"", "\"1.5\"", "whole number"] },
        { """{"x":{"dtype":"F32","shape":["2"],"data_offsets":[0,8]}}""", 8, ["\"x\"", "whole number"] },
        { """{"x":{"dtype":"F32","shape":[99999999999999999999],"data_offsets":[0,8]}}""", 8, ["\"x\"", "99999999999999999999", "whole number"] },
        { """{"x":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,8]}}""", 8, ["\"x\"", "[4611686018427387904,4]", "64 bits"] },
        { """{"x":{"dtype":"F32","shape":[4611686018427387904],"data_offsets":[0,8]}}""", 8, ["\"x\"", "64 bits"] },
        { """{"x":{"dtype":"F32","shape":[2],"data_offsets":[0]}}""", 8, ["\"x\"", "1 data_offsets", "two"] },
        { """{"x":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}""", 8, ["\"x\"", "begins at data byte 8", "ends at 0"] },
        { """{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,12]}}""", 12, ["\"x\"", "takes 12 bytes", "but 8", "[2]"] },
        { """{"x":{"dtype":"F32","shape":[3],"data_offsets":[0,12]}}""", 8, ["\"x\"", "beyond the file's", "bytes"] },
        { """{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,9223372036854775807]}}""", 8, ["\"x\"", "beyond the file's"] },
        { """{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"y":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}""", 12, ["\"y\"", "overlaps \"x\""] },
        { """{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"y":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}}""", 12, ["\"y\"", "without holes"] },
        { """{"x":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}""", 8, ["\"x\"", "without holes"] },
        { """{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}""", 8, ["nothing follows"] },
        { """{"x":{"dtype":"F4","shape":[3],"data_offsets":[0,2]}}""", 2, ["\"x\"", "F4", "whole number of bytes"] },
        { """{"__metadata__":{"a":1}}""", 0, ["\"__metadata__\"", "object of strings"] },
        { """{"a\nb":7}""", 0, ["\"a\\u000ab\""] },
        { """{"\ud800":7}""", 0, ["half a character"] },
        { """{"x":{"dtype":"\ud800","shape":[2],"data_offsets":[0,8]}}""", 8, ["half a character"] },
    };

    [Theory, MemberData(nameof(Broken))]
    public void A_broken_header_is_refused_in_one_line(string header, int dataBytes, string[] expected)
    {
        var fault = Refused(Write(header, dataBytes));
        Assert.All(expected, part => Assert.Contains(part, fault));
    }

    [Fact]
    public void A_file_shorter_than_its_length_prefix_is_refused()
    {
        File.WriteAllBytes(_folder.PathOf("model.safetensors"), [1, 2, 3]);
        Assert.Contains("has 3 bytes", Refused(_folder.PathOf("model.safetensors")));
    }

    [Fact]
    public void An_empty_header_is_refused() => Assert.Contains("opening brace", Refused(Write("", 0)));

    [Theory]
    [InlineData(100UL)]
    [InlineData(ulong.MaxValue)]
    [InlineData((ulong)long.MaxValue)]
    public void A_header_length_beyond_the_file_is_refused(ulong length)
    {
        var bytes = new byte[24];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, length);
        File.WriteAllBytes(_folder.PathOf("model.safetensors"), bytes);
        var fault = Refused(_folder.PathOf("model.safetensors"));
        Assert.Contains($"claims {length} bytes", fault);
        Assert.Contains("beyond the file's 24 bytes", fault);
    }

    [Fact]
    public void A_header_longer_than_the_format_allows_is_refused_without_reading_it()
    {
        var path = _folder.PathOf("model.safetensors");
        var prefix = new byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(prefix, 100_000_001);
        using (var file = File.Create(path))
        {
            file.Write(prefix);
            file.SetLength(200_000_000);
        }
        Assert.Contains("at most 100000000", Refused(path));
    }

    [Fact]
    public void A_file_of_no_tensors_and_empty_metadata_is_fine()
    {
        using var file = SafetensorsFile.Open(Write("""{"__metadata__":{}}""", 0));
        Assert.Empty(file.Entries);
    }

    [Fact]
    public void Tensors_of_no_elements_and_of_no_axes_are_fine()
    {
        var path = Write(
            """{"b":{"dtype":"I64","shape":[],"data_offsets":[0,8]},"a":{"dtype":"F32","shape":[3,0,9223372036854775807],"data_offsets":[8,8]},"__metadata__":{"k":"v"}}  """, 8);
        using var file = SafetensorsFile.Open(path);
        Assert.Equal(["b", "a"], file.Entries.Select(entry => entry.Name));
        Assert.Equal(0, file.Find("a")!.Bytes);
        Assert.Equal(8, file.Find("b")!.Bytes);
    }

    [Fact]
    public void A_name_of_many_letters_is_cut_in_messages()
    {
        var fault = Refused(Write($$"""{"{{new string('n', 5000)}}":7}""", 0));
        Assert.Contains("nnn…\"", fault);
        Assert.True(fault.Length < 1000);
    }

    private string Write(string header, int dataBytes)
    {
        var json = Encoding.UTF8.GetBytes(header);
        var bytes = new byte[8 + json.Length + dataBytes];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, json.Length);
        json.CopyTo(bytes, 8);
        var path = _folder.PathOf("model.safetensors");
        File.WriteAllBytes(path, bytes);
        return path;
    }

    private static string Refused(string path)
    {
        var fault = Assert.Throws<InvalidDataException>(() => SafetensorsFile.Open(path)).Message;
        Assert.Contains("model.safetensors\"", fault);
        Assert.DoesNotContain('\n', fault);
        Assert.EndsWith(".", fault);
        return fault;
    }
}
