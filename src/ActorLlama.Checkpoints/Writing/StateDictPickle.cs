using System.Collections.Immutable;
using System.Globalization;
using System.Text;
using ActorLlama.Model;

namespace ActorLlama.Checkpoints;

/// <summary>The pickle (protocol 2) of a plain dictionary of tensors, tensor i in storage "i", as PyTorch reads it.</summary>
internal static class StateDictPickle
{
    public static byte[] Of(IReadOnlyList<(string Key, ElementType Type, ImmutableArray<long> Shape)> tensors)
    {
        using var stream = new MemoryStream();
        using var pickle = new BinaryWriter(stream);
        pickle.Write([0x80, 2, (byte)'}', (byte)'(']);
        for (var i = 0; i < tensors.Count; i++)
        {
            var (key, type, shape) = tensors[i];
            Text(pickle, key);
            Global(pickle, "torch._utils", "_rebuild_tensor_v2");
            pickle.Write("(("u8);
            Text(pickle, "storage");
            Global(pickle, "torch", type == ElementType.Float32 ? "FloatStorage" : "BFloat16Storage");
            Text(pickle, i.ToString(CultureInfo.InvariantCulture));
            Text(pickle, "cpu");
            Whole(pickle, TensorView.CountOf(shape));
            pickle.Write("tQ"u8);
            Whole(pickle, 0);
            Sizes(pickle, shape);
            Sizes(pickle, TensorView.RowMajor(shape));
            pickle.Write((byte)0x89);
            Global(pickle, "collections", "OrderedDict");
            pickle.Write(")RtR"u8);
        }
        pickle.Write("u."u8);
        return stream.ToArray();
    }

    private static void Text(BinaryWriter pickle, string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        pickle.Write((byte)'X');
        pickle.Write(bytes.Length);
        pickle.Write(bytes);
    }

    private static void Global(BinaryWriter pickle, string module, string name) => pickle.Write(Encoding.ASCII.GetBytes($"c{module}\n{name}\n"));

    private static void Sizes(BinaryWriter pickle, ImmutableArray<long> sizes)
    {
        pickle.Write((byte)'(');
        foreach (var size in sizes) Whole(pickle, size);
        pickle.Write((byte)'t');
    }

    private static void Whole(BinaryWriter pickle, long value)
    {
        if (value is >= int.MinValue and <= int.MaxValue)
        {
            pickle.Write((byte)'J');
            pickle.Write((int)value);
            return;
        }
        pickle.Write([0x8a, 8]);
        pickle.Write(value);
    }
}
