using ActorLlama.Model;
using static ActorLlama.Checkpoints.Quoting;

namespace ActorLlama.Checkpoints;

/// <summary>A <c>.pth</c> file of PyTorch: a zip archive of a pickled dictionary and its tensors' elements (spec 3.2). No tensor has been read.</summary>
internal sealed class PthFile : IDisposable
{
    private const string PickleEntry = "data.pkl";
    private const long LongestPickle = 256L << 20;
    private const string Again = "Download the file again.";

    private readonly Dictionary<string, PickleValue.Tensor> _tensors = new(StringComparer.Ordinal);
    private readonly Dictionary<string, ZipDirectory.Entry> _storages = new(StringComparer.Ordinal);

    private PthFile(MappedFile source)
    {
        Source = source;
        var zip = ZipDirectory.Read(source);
        var pickle = zip.Entries.Where(entry => IsAt(entry, PickleEntry)).ToList() is [var found]
            ? found
            : throw Fault($"holds no entry {Quote("…/" + PickleEntry)}, or several; it is no PyTorch archive of tensors");
        if (pickle.Bytes > LongestPickle) throw Fault($"has a pickle of {pickle.Bytes} bytes; a dictionary of tensors takes at most {LongestPickle}");
        var root = pickle.Name[..^PickleEntry.Length];
        RequireLittleEndian(zip, root);
        foreach (var entry in zip.Entries)
            if (entry.Name.StartsWith(root + "data/", StringComparison.Ordinal)) _storages.Add(entry.Name[(root.Length + 5)..], entry);
        Collect(Unpickler.Read(source.Path, ReadAll(pickle)));
    }

    public MappedFile Source { get; }

    /// <summary>Keys of all tensors.</summary>
    public IReadOnlyCollection<string> Keys => _tensors.Keys;

    /// <summary>Opens and checks the file. Throws <see cref="FileNotFoundException"/> or <see cref="InvalidDataException"/>.</summary>
    public static PthFile Open(string path)
    {
        var file = MappedFile.Open(path);
        try
        {
            return new PthFile(file);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>The tensor of that key; null when absent. Throws when its type is no weight's or it lies outside its storage.</summary>
    public TensorView? Find(string key)
    {
        if (!_tensors.TryGetValue(key, out var tensor)) return null;
        var type = tensor.Of.Type switch
        {
            "BFloat16" => ElementType.BFloat16,
            "Float" => ElementType.Float32,
            var other => throw Fault(key, $"has elements of type {Quote(other)}; weights are BFloat16 or Float. Use the bfloat16 release of the checkpoint"),
        };
        RequireInside(key, tensor);
        // Nothing is read of a tensor without elements, and some writers leave its storage out.
        if (tensor.Shape.Contains(0)) return TensorView.Of(key, type, tensor.Shape, Source, 0);
        if (!_storages.TryGetValue(tensor.Of.Key, out var storage)) throw Fault(key, $"lies in storage {Quote(tensor.Of.Key)}, which the archive does not hold");
        var size = TensorView.BytesOf(type);
        if (storage.Bytes / size < tensor.Of.Elements)
            throw Fault(key, $"lies in a storage of {tensor.Of.Elements} elements, of which the archive holds {storage.Bytes / size}");
        return TensorView.Strided(key, type, tensor.Shape, tensor.Strides, Source, storage.Offset + tensor.Offset * size);
    }

    public void Dispose() => Source.Dispose();

    private void Collect(PickleValue root)
    {
        if (root is not PickleValue.Map map) throw Fault("holds no dictionary of tensors");
        foreach (var (name, value) in map.Pairs)
        {
            if (name is not PickleValue.Text { Value: var key }) throw Fault("has a key in its dictionary that is no text");
            // Streams under "_extra_state" and the like carry no weight.
            if (value is PickleValue.Tensor tensor && !_tensors.TryAdd(key, tensor)) throw Fault(key, "appears twice; names are unique");
        }
    }

    private void RequireInside(string key, PickleValue.Tensor tensor)
    {
        try
        {
            var elements = TensorView.CountOf(tensor.Shape);
            var last = elements == 0 ? -1 : tensor.Shape.Zip(tensor.Strides, (size, stride) => checked((size - 1) * stride)).Aggregate(0L, (sum, part) => checked(sum + part));
            if (checked(tensor.Offset + last) >= tensor.Of.Elements || tensor.Offset > tensor.Of.Elements)
                throw Fault(key, $"of shape {Quote(tensor.Shape)} from element {tensor.Offset} on ends beyond its storage of {tensor.Of.Elements} elements");
            // A view that repeats elements could claim any size.
            if (elements > tensor.Of.Elements)
                throw Fault(key, $"has {elements} elements in a storage of {tensor.Of.Elements}; weights do not repeat");
        }
        catch (OverflowException)
        {
            throw Fault(key, $"of shape {Quote(tensor.Shape)} has more elements than 64 bits can count");
        }
    }

    private void RequireLittleEndian(ZipDirectory zip, string root)
    {
        if (zip.Entries.FirstOrDefault(entry => entry.Name == root + "byteorder") is { Bytes: < 64 } order
            && !ReadAll(order).AsSpan().SequenceEqual("little"u8))
            throw Fault("holds big-endian elements; only little-endian ones are read");
    }

    private static bool IsAt(ZipDirectory.Entry entry, string name) =>
        entry.Name == name || (entry.Name.EndsWith("/" + name, StringComparison.Ordinal) && entry.Name.IndexOf('/') == entry.Name.Length - name.Length - 1);

    private byte[] ReadAll(ZipDirectory.Entry entry)
    {
        var bytes = new byte[entry.Bytes];
        Source.Read(entry.Offset, bytes);
        return bytes;
    }

    private InvalidDataException Fault(string what) => new($"Checkpoint: {Quote(Source.Path)} {what}. {Again}");

    private InvalidDataException Fault(string key, string what) => new($"Checkpoint: tensor {Quote(key)} in {Quote(Source.Path)} {what}. {Again}");
}
