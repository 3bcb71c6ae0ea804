using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Text.Json;
using static ActorLlama.Checkpoints.Quoting;

namespace ActorLlama.Checkpoints;

/// <summary>
/// The header of a safetensors file: 8 bytes little-endian length, a JSON object, then the data, which the tensors cover without
/// holes or overlaps. Reading it allocates no more than the file is long and touches no tensor.
/// </summary>
internal sealed class SafetensorsHeader
{
    /// <summary>The format's own bound.</summary>
    public const long LongestHeader = 100_000_000;

    /// <summary>The one key of the header that is no tensor.</summary>
    public const string MetadataKey = "__metadata__";

    private const int LengthBytes = 8;
    private const string Again = "Download or write the file again.";

    private readonly string _file;
    private readonly long _dataStart;
    private readonly long _fileBytes;

    private SafetensorsHeader(string file, long dataStart, long fileBytes, JsonElement root)
    {
        _file = file;
        _dataStart = dataStart;
        _fileBytes = fileBytes;
        Entries = Parse(root);
        RequireContiguous();
    }

    /// <summary>All tensors, by ascending offset.</summary>
    public ImmutableArray<SafetensorsEntry> Entries { get; }

    /// <summary>Reads and checks the header. Throws <see cref="InvalidDataException"/> naming file, tensor and rule.</summary>
    public static SafetensorsHeader Read(MappedFile file)
    {
        var json = ReadJson(file);
        JsonDocument document;
        try
        {
            document = JsonDocument.Parse(json);
        }
        catch (JsonException fault)
        {
            throw new InvalidDataException(
                $"Checkpoint: the header of {Quote(file.Path)} is no valid JSON at line {fault.LineNumber + 1}, "
                + $"byte {fault.BytePositionInLine + 1}. {Again}", fault);
        }
        using (document) return new SafetensorsHeader(file.Path, LengthBytes + json.Length, file.Length, document.RootElement);
    }

    private static byte[] ReadJson(MappedFile file)
    {
        var name = Quote(file.Path);
        if (file.Length < LengthBytes)
            throw new InvalidDataException(
                $"Checkpoint: {name} has {file.Length} bytes, a safetensors file has at least {LengthBytes}. {Again}");
        Span<byte> prefix = stackalloc byte[LengthBytes];
        file.Read(0, prefix);
        var length = BinaryPrimitives.ReadUInt64LittleEndian(prefix);
        if (length > (ulong)(file.Length - LengthBytes))
            throw new InvalidDataException(
                $"Checkpoint: the header of {name} claims {length} bytes and ends beyond the file's {file.Length} bytes. {Again}");
        if (length > LongestHeader)
            throw new InvalidDataException(
                $"Checkpoint: the header of {name} claims {length} bytes, a safetensors header has at most {LongestHeader}. {Again}");
        var json = new byte[length];
        file.Read(LengthBytes, json);
        if (length == 0 || json[0] != '{')
            throw new InvalidDataException(
                $"Checkpoint: the header of {name} does not begin with an opening brace, so this is no safetensors file. {Again}");
        JsonUnicode.Require(json, file.Path);
        return json;
    }

    private ImmutableArray<SafetensorsEntry> Parse(JsonElement root)
    {
        var names = new HashSet<string>(StringComparer.Ordinal);
        var entries = new List<SafetensorsEntry>();
        foreach (var property in root.EnumerateObject())
        {
            if (!names.Add(property.Name)) throw Fault(property.Name, "appears twice in the header; names are unique");
            if (property.Name == MetadataKey) CheckMetadata(property.Value);
            else entries.Add(ParseEntry(property.Name, property.Value));
        }
        entries.Sort((a, b) => a.Offset != b.Offset ? a.Offset.CompareTo(b.Offset) : a.Bytes.CompareTo(b.Bytes));
        return [.. entries];
    }

    private void CheckMetadata(JsonElement metadata)
    {
        if (metadata.ValueKind != JsonValueKind.Object || metadata.EnumerateObject().Any(p => p.Value.ValueKind != JsonValueKind.String))
            throw new InvalidDataException($"Checkpoint: {Quote(MetadataKey)} in {Quote(_file)} is no object of strings. {Again}");
    }

    private SafetensorsEntry ParseEntry(string name, JsonElement entry)
    {
        if (entry.ValueKind != JsonValueKind.Object) throw Fault(name, "is described by no JSON object");
        JsonElement type = default, shape = default, offsets = default;
        foreach (var property in entry.EnumerateObject())
            switch (property.Name)
            {
                case "dtype": Once(name, property, ref type); break;
                case "shape": Once(name, property, ref shape); break;
                case "data_offsets": Once(name, property, ref offsets); break;
                default: throw Fault(name, $"has an unknown property {Quote(property.Name)}; allowed are dtype, shape and data_offsets");
            }
        return Check(name, type, ReadSizes(name, "shape", shape), ReadSizes(name, "data_offsets", offsets));
    }

    private void Once(string name, JsonProperty property, ref JsonElement value)
    {
        if (value.ValueKind != JsonValueKind.Undefined) throw Fault(name, $"has {Quote(property.Name)} twice");
        value = property.Value;
    }

    private ImmutableArray<long> ReadSizes(string name, string what, JsonElement array)
    {
        if (array.ValueKind != JsonValueKind.Array) throw Fault(name, $"has no array {Quote(what)}");
        var sizes = ImmutableArray.CreateBuilder<long>(array.GetArrayLength());
        foreach (var item in array.EnumerateArray())
            sizes.Add(item.ValueKind == JsonValueKind.Number && item.TryGetInt64(out var size) && size >= 0
                ? size
                : throw Fault(name, $"has {Quote(item.GetRawText())} in {Quote(what)}; each is a whole number from 0 to {long.MaxValue}"));
        return sizes.MoveToImmutable();
    }

    private SafetensorsEntry Check(string name, JsonElement type, ImmutableArray<long> shape, ImmutableArray<long> offsets)
    {
        if (type.ValueKind != JsonValueKind.String) throw Fault(name, "has no string \"dtype\"");
        var typeName = type.GetString()!;
        if (!SafetensorsType.TryGetBits(typeName, out var bits))
            throw Fault(name, $"has dtype {Quote(typeName)}, which the format does not know");
        if (offsets.Length != 2) throw Fault(name, $"has {offsets.Length} data_offsets; they are two, begin and end");
        var (begin, end) = (offsets[0], offsets[1]);
        if (begin > end) throw Fault(name, $"begins at data byte {begin} and ends at {end}, before it begins");
        if (end > _fileBytes - _dataStart)
            throw Fault(name, $"ends at byte {(decimal)_dataStart + end}, beyond the file's {_fileBytes} bytes");
        var bytes = BytesOf(name, typeName, bits, shape);
        if (bytes != end - begin)
            throw Fault(name, $"takes {end - begin} bytes by its data_offsets but {bytes} by its dtype {typeName} and shape {Quote(shape)}");
        return new SafetensorsEntry(name, typeName, shape, _dataStart + begin, bytes);
    }

    private long BytesOf(string name, string type, int bits, ImmutableArray<long> shape)
    {
        try
        {
            return SafetensorsType.BytesOf(TensorView.CountOf(shape), bits)
                ?? throw Fault(name, $"of dtype {type} and shape {Quote(shape)} takes no whole number of bytes");
        }
        catch (OverflowException)
        {
            throw Fault(name, $"of dtype {type} and shape {Quote(shape)} takes more bytes than 64 bits can count");
        }
    }

    private void RequireContiguous()
    {
        var covered = _dataStart;
        SafetensorsEntry? before = null;
        foreach (var entry in Entries)
        {
            if (entry.Offset < covered)
                throw Fault(entry.Name, $"begins at byte {entry.Offset} and overlaps {Quote(before!.Name)}, which ends at byte {covered}");
            if (entry.Offset > covered)
                throw Fault(entry.Name, $"begins at byte {entry.Offset} but the data before it ends at byte {covered}; tensors lie without holes");
            covered = entry.End;
            before = entry;
        }
        if (covered != _fileBytes)
            throw new InvalidDataException(
                $"Checkpoint: {Quote(_file)} has {_fileBytes} bytes, its tensors end at byte {covered}; nothing follows them. {Again}");
    }

    private InvalidDataException Fault(string tensor, string what) =>
        new($"Checkpoint: tensor {Quote(tensor)} in {Quote(_file)} {what}. {Again}");
}
