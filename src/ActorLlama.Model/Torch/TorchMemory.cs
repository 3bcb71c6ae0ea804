using TorchSharp;
using static TorchSharp.torch;

namespace ActorLlama.Model;

/// <summary>Copies between plain memory and tensors.</summary>
internal static class TorchMemory
{
    // A span holds fewer than 2^31 bytes; Maverick's tensors hold more.
    private const long PieceElements = 1L << 28;

    public static ScalarType TypeOf(ElementType type) => type == ElementType.Float32 ? ScalarType.Float32 : ScalarType.BFloat16;

    /// <summary>A tensor of the stored elements, unchanged, on the device. NaN is an <see cref="InvalidDataException"/> unless allowed.</summary>
    public static Tensor Load(StoredTensor stored, Device device, bool allowNaN)
    {
        var tensor = Copy(stored);
        if (!allowNaN && FirstNaN(tensor) is { } element)
        {
            tensor.Dispose();
            throw NaN(stored, element);
        }
        return Move(tensor, device);
    }

    /// <summary>Entries [first, first + count) of a tensor's first axis, on the device. Touches no other entry's bytes.</summary>
    public static Tensor LoadSlices(StoredTensor stored, int first, int count, Device device, bool allowNaN)
    {
        var group = empty([count, .. stored.Shape.Skip(1)], TypeOf(stored.Type), device);
        for (var i = 0; i < count; i++)
        {
            var slice = stored.At(first + i);
            using var copy = Copy(slice);
            if (!allowNaN && FirstNaN(copy) is { } element)
            {
                group.Dispose();
                throw NaN(stored, (first + i) * slice.Elements + element);
            }
            using var place = group.select(0, i);
            place.copy_(copy);
        }
        return group;
    }

    private static unsafe Tensor Copy(StoredTensor stored)
    {
        var tensor = empty(stored.Shape.AsSpan(), TypeOf(stored.Type), CPU);
        using var flat = tensor.view(-1);
        for (long at = 0; at < stored.Elements; at += PieceElements)
        {
            var count = Math.Min(PieceElements, stored.Elements - at);
            using var piece = flat.narrow(0, at, count);
            new ReadOnlySpan<byte>((byte*)stored.Address + at * stored.ElementBytes, checked((int)(count * stored.ElementBytes))).CopyTo(piece.bytes);
        }
        return tensor;
    }

    /// <summary>Rows [T, width] from their bytes.</summary>
    public static Tensor Read(ReadOnlySpan<byte> bytes, int rows, int width, ScalarType type, Device device)
    {
        var tensor = empty(rows, width, type, CPU);
        if (bytes.Length != tensor.NumberOfElements * tensor.ElementSize)
        {
            tensor.Dispose();
            throw new ArgumentException($"Torch: {bytes.Length} bytes are not {rows} rows of {width} values of type {type}.", nameof(bytes));
        }
        if (bytes.Length > 0) bytes.CopyTo(tensor.bytes);
        return Move(tensor, device);
    }

    /// <summary>All elements' bytes, row major.</summary>
    public static void Write(Tensor tensor, Span<byte> bytes)
    {
        using var scope = NewDisposeScope();
        var flat = tensor.detach().cpu().contiguous();
        if (bytes.Length != flat.NumberOfElements * flat.ElementSize)
            throw new ArgumentException($"Torch: a buffer of {bytes.Length} bytes does not fit {flat.NumberOfElements} values of type {flat.dtype}.", nameof(bytes));
        if (bytes.Length > 0) flat.bytes.CopyTo(bytes);
    }

    public static Tensor Indices(ReadOnlySpan<int> values, Device device)
    {
        var wide = new long[values.Length];
        for (var i = 0; i < wide.Length; i++) wide[i] = values[i];
        return tensor(wide, ScalarType.Int64, device);
    }

    private static Tensor Move(Tensor tensor, Device device)
    {
        if (device.type == DeviceType.CPU) return tensor;
        using (tensor) return tensor.to(device);
    }

    private static long? FirstNaN(Tensor tensor)
    {
        using var scope = NewDisposeScope();
        var isNaN = tensor.isnan();
        return isNaN.any().item<bool>() ? isNaN.to(ScalarType.Int32).argmax().item<long>() : null;
    }

    private static InvalidDataException NaN(StoredTensor stored, long element) =>
        new($"Checkpoint: tensor \"{stored.Name}\" holds NaN at element {element}. Download the file again, or allow NaN weights.");
}
