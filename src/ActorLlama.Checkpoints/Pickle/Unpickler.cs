using System.Buffers.Binary;
using System.Collections.Frozen;
using System.Collections.Immutable;
using System.Text;
using static ActorLlama.Checkpoints.Quoting;

namespace ActorLlama.Checkpoints;

/// <summary>
/// Reads the pickle of a state dict (spec 3.2): knows the opcodes and names that PyTorch writes for dictionaries of tensors and refuses all others by
/// name. It builds descriptions only; no name is ever looked up and nothing runs. Its memory is proportional to the pickle's length.
/// </summary>
internal sealed class Unpickler
{
    private const string Rebuild = "torch._utils._rebuild_tensor_v2", RebuildParameter = "torch._utils._rebuild_parameter";

    /// <summary>Names that may be called, built or referred to.</summary>
    private static readonly FrozenSet<string> Known = new[]
    {
        Rebuild, RebuildParameter, "collections.OrderedDict", "torch.Size", "_io.BytesIO", "io.BytesIO", "__builtin__.bytes", "builtins.bytes",
        "__builtin__.bytearray", "builtins.bytearray", "_codecs.encode", "torch.BFloat16Storage", "torch.FloatStorage", "torch.HalfStorage",
        "torch.DoubleStorage", "torch.LongStorage", "torch.IntStorage", "torch.ShortStorage", "torch.CharStorage", "torch.ByteStorage", "torch.BoolStorage",
    }.ToFrozenSet(StringComparer.Ordinal);

    /// <summary>PyTorch's own bound. A shape may be told once and used often: without a bound, a short pickle could ask for much memory.</summary>
    private const int MostAxes = 64;

    private static readonly PickleValue.Constant None = new("None"), True = new("True"), False = new("False");

    private readonly string _file;
    private readonly byte[] _pickle;
    private readonly Stack<PickleValue> _stack = new();
    private readonly Dictionary<long, PickleValue> _memo = [];
    private int _at;

    private Unpickler(string file, byte[] pickle) => (_file, _pickle) = (file, pickle);

    /// <summary>The value of a pickle. Throws <see cref="InvalidDataException"/> naming file, place and rule.</summary>
    public static PickleValue Read(string file, byte[] pickle) => new Unpickler(file, pickle).Run();

    private PickleValue Run()
    {
        while (true)
        {
            var begin = _at;
            var opcode = Byte();
            switch (opcode)
            {
                case 0x80: Protocol(); break;
                case 0x95: Take(8); break;
                case (byte)'.': return Finish();
                case (byte)'(': _stack.Push(PickleValue.Mark.Value); break;
                case (byte)'0': Pop(); break;
                case (byte)'1': PopToMark(); break;
                case (byte)'}': _stack.Push(new PickleValue.Map([])); break;
                case (byte)']': _stack.Push(PickleValue.Other.Value); break;
                case (byte)')': _stack.Push(new PickleValue.Items([])); break;
                case (byte)'t': _stack.Push(new PickleValue.Items(PopToMark())); break;
                case 0x85 or 0x86 or 0x87: Tuple(opcode - 0x84); break;
                case (byte)'s': Set([Pop(), Pop()]); break;
                case (byte)'u': SetAll(PopToMark()); break;
                case (byte)'a': Append([Pop()]); break;
                case (byte)'e': Append(PopToMark()); break;
                case (byte)'q': Remember(Byte()); break;
                case (byte)'r': Remember(UInt32()); break;
                case 0x94: Remember(_memo.Count); break;
                case (byte)'h': Recall(Byte()); break;
                case (byte)'j': Recall(UInt32()); break;
                case (byte)'J': _stack.Push(new PickleValue.Whole(BinaryPrimitives.ReadInt32LittleEndian(Take(4)))); break;
                case (byte)'K': _stack.Push(new PickleValue.Whole(Byte())); break;
                case (byte)'M': _stack.Push(new PickleValue.Whole(BinaryPrimitives.ReadUInt16LittleEndian(Take(2)))); break;
                case 0x8a: LongNumber(Take(Byte())); break;
                case (byte)'G': Take(8); _stack.Push(PickleValue.Other.Value); break;
                case (byte)'N': _stack.Push(None); break;
                case 0x88: _stack.Push(True); break;
                case 0x89: _stack.Push(False); break;
                case (byte)'X': PushText(Take(UInt32())); break;
                case 0x8c: PushText(Take(Byte())); break;
                case 0x8d: PushText(Take(UInt64())); break;
                case (byte)'U' or (byte)'C': Take(Byte()); _stack.Push(PickleValue.Other.Value); break;
                case (byte)'T' or (byte)'B': Take(UInt32()); _stack.Push(PickleValue.Other.Value); break;
                case 0x8e or 0x96: Take(UInt64()); _stack.Push(PickleValue.Other.Value); break;
                case (byte)'c': Named(Line(), Line()); break;
                case 0x93: NamedByStack(); break;
                case (byte)'Q': Persistent(Pop()); break;
                case (byte)'R': Call(Pop(), Pop()); break;
                case 0x81: Make(Pop(), Pop()); break;
                case (byte)'b': Build(Pop()); break;
                default:
                    throw Fault($"uses pickle opcode 0x{opcode:x2} at byte {begin}, which no dictionary of tensors needs");
            }
        }
    }

    private PickleValue Finish()
    {
        var result = Pop();
        if (_stack.Count > 0) throw Fault($"ends at byte {_at} with {_stack.Count} values left over");
        return result;
    }

    private void Protocol()
    {
        var version = Byte();
        if (version is < 2 or > 5) throw Fault($"has pickle protocol {version}; 2 to 5 are read");
    }

    private void Tuple(int count)
    {
        var values = new PickleValue[count];
        for (var i = count - 1; i >= 0; i--) values[i] = Pop();
        _stack.Push(new PickleValue.Items([.. values]));
    }

    private void SetAll(ImmutableArray<PickleValue> values)
    {
        if (values.Length % 2 != 0) throw Fault($"gives a dictionary {values.Length} keys and values at byte {_at}");
        for (var i = 0; i < values.Length; i += 2) Set([values[i + 1], values[i]]);
    }

    private void Set(ReadOnlySpan<PickleValue> valueAndKey)
    {
        if (!_stack.TryPeek(out var target) || target is not PickleValue.Map map) throw Fault($"sets an entry of no dictionary at byte {_at}");
        map.Pairs.Add(new(valueAndKey[1], valueAndKey[0]));
    }

    private void Append(ImmutableArray<PickleValue> _)
    {
        if (!_stack.TryPeek(out var target) || target is not PickleValue.Other) throw Fault($"appends to no list at byte {_at}");
    }

    private void Remember(long index)
    {
        if (!_stack.TryPeek(out var value) || value is PickleValue.Mark) throw Fault($"remembers a value that is not there at byte {_at}");
        _memo[index] = value;
    }

    private void Recall(long index) =>
        _stack.Push(_memo.TryGetValue(index, out var value) ? value : throw Fault($"recalls value {index}, which it never remembered, at byte {_at}"));

    private void LongNumber(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length > 8) throw Fault($"holds a number of {bytes.Length} bytes at byte {_at}; sizes have at most 8");
        var value = bytes.Length > 0 && bytes[^1] >= 0x80 ? -1L : 0L;
        for (var i = bytes.Length - 1; i >= 0; i--) value = (value << 8) | bytes[i];
        _stack.Push(new PickleValue.Whole(value));
    }

    private void PushText(ReadOnlySpan<byte> utf8) => _stack.Push(new PickleValue.Text(Encoding.UTF8.GetString(utf8)));

    private void NamedByStack()
    {
        if (Pop() is not PickleValue.Text name || Pop() is not PickleValue.Text module) throw Fault($"names a class by no text at byte {_at}");
        Named(module.Value, name.Value);
    }

    private void Named(string module, string name)
    {
        var full = $"{module}.{name}";
        if (!Known.Contains(full))
            throw new InvalidDataException(
                $"Checkpoint: {Quote(_file)} asks for {Quote(full)}, which no dictionary of tensors needs; nothing of it was run. "
                + "Do not use the file, or save it again as a plain state dict.");
        _stack.Push(new PickleValue.Global(full));
    }

    private void Persistent(PickleValue id)
    {
        if (id is not PickleValue.Items
            {
                Values: [PickleValue.Text { Value: "storage" }, PickleValue.Global type, PickleValue.Text key, PickleValue.Text, PickleValue.Whole count],
            }
            || !type.Name.EndsWith("Storage", StringComparison.Ordinal) || count.Value < 0)
            throw Fault($"refers to a storage that is none at byte {_at}");
        _stack.Push(new PickleValue.Storage(type.Name["torch.".Length..^"Storage".Length], key.Value, count.Value));
    }

    private void Call(PickleValue arguments, PickleValue function)
    {
        if (function is not PickleValue.Global { Name: var name } || arguments is not PickleValue.Items { Values: var values })
            throw Fault($"calls what is no function at byte {_at}");
        _stack.Push(name switch
        {
            Rebuild => Tensor(values),
            RebuildParameter when values is [PickleValue.Tensor tensor, ..] => tensor,
            RebuildParameter => throw Fault($"holds a parameter without tensor at byte {_at}"),
            "collections.OrderedDict" => values.IsEmpty ? new PickleValue.Map([]) : throw Fault($"makes a dictionary of arguments at byte {_at}"),
            "torch.Size" => values is [PickleValue.Items sizes] ? sizes : PickleValue.Other.Value,
            _ => PickleValue.Other.Value,
        });
    }

    private PickleValue.Tensor Tensor(ImmutableArray<PickleValue> values)
    {
        if (values is not [PickleValue.Storage storage, PickleValue.Whole offset, PickleValue.Items shape, PickleValue.Items strides, ..]
            || shape.Values.Length > MostAxes || !shape.Values.All(IsSize) || !strides.Values.All(IsSize) || shape.Values.Length != strides.Values.Length || offset.Value < 0)
            throw Fault($"holds a tensor with a broken description at byte {_at}");
        return new PickleValue.Tensor(storage, offset.Value, Sizes(shape), Sizes(strides));

        static bool IsSize(PickleValue value) => value is PickleValue.Whole { Value: >= 0 };

        static ImmutableArray<long> Sizes(PickleValue.Items items) => [.. items.Values.Select(value => ((PickleValue.Whole)value).Value)];
    }

    private void Make(PickleValue arguments, PickleValue type)
    {
        if (type is not PickleValue.Global || arguments is not PickleValue.Items) throw Fault($"makes an object of no class at byte {_at}");
        _stack.Push(PickleValue.Other.Value);
    }

    /// <summary>State given to an object: an ordered dictionary's attributes (<c>_metadata</c>) or a stream's bytes, both without weights.</summary>
    private void Build(PickleValue state)
    {
        if (state is PickleValue.Mark || !_stack.TryPeek(out var target) || target is not (PickleValue.Map or PickleValue.Other or PickleValue.Tensor))
            throw Fault($"gives state to no object at byte {_at}");
    }

    private PickleValue Pop() => _stack.TryPop(out var value) ? value : throw Fault($"takes a value that is not there at byte {_at}");

    private ImmutableArray<PickleValue> PopToMark()
    {
        var values = new List<PickleValue>();
        for (var value = Pop(); value is not PickleValue.Mark; value = Pop()) values.Add(value);
        values.Reverse();
        return [.. values];
    }

    private byte Byte() => Take(1)[0];

    private uint UInt32() => BinaryPrimitives.ReadUInt32LittleEndian(Take(4));

    private ulong UInt64() => BinaryPrimitives.ReadUInt64LittleEndian(Take(8));

    private string Line()
    {
        var length = _pickle.AsSpan(_at).IndexOf((byte)'\n');
        if (length < 0) throw Fault($"ends inside a name at byte {_at}");
        var text = Encoding.UTF8.GetString(_pickle, _at, length);
        _at += length + 1;
        return text;
    }

    private ReadOnlySpan<byte> Take(ulong bytes)
    {
        if (bytes > (ulong)(_pickle.Length - _at)) throw Fault($"ends at byte {_pickle.Length} inside a value of {bytes} bytes");
        var span = _pickle.AsSpan(_at, (int)bytes);
        _at += (int)bytes;
        return span;
    }

    private InvalidDataException Fault(string what) => new($"Checkpoint: the pickle of {Quote(_file)} {what}. Download the file again.");
}
