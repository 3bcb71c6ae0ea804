using TorchSharp;
using static TorchSharp.torch;

namespace ActorLlama.Model;

/// <summary>Copies between plain memory and tensors.</summary>
internal static class TorchMemory
{
    // A span holds fewer than 2^31 bytes; Maverick's tensors hold more. And progress is told piece by piece.
    private const long PieceElements = 1L << 24;

    public static ScalarType TypeOf(ActivationType type) => type == ActivationType.Float32 ? ScalarType.Float32 : ScalarType.BFloat16;

    public static ScalarType TypeOf(ElementType type) => type == ElementType.Float32 ? ScalarType.Float32 : ScalarType.BFloat16;

    /// <summary>A tensor of the stored elements, unchanged, on the device. NaN is an <see cref="InvalidDataException"/> unless allowed.</summary>
    public static Tensor Load(StoredTensor stored, Device device, WeightLoading loading)
    {
        var tensor = Copy(stored, 0, stored.Shape.AsSpan(), loading);
        if (!loading.AllowNaN && FirstNaN(tensor) is { } element)
        {
            tensor.Dispose();
            throw NaN(stored, element);
        }
        return Move(tensor, device);
    }

    /// <summary>Entries [first, first + count) of a tensor's first axis, on the device. Touches no other entry's bytes.</summary>
    public static Tensor LoadSlices(StoredTensor stored, int first, int count, Device device, WeightLoading loading)
    {
        var group = empty([count, .. stored.Shape.Skip(1)], TypeOf(stored.Type), device);
        var elements = stored.Elements / stored.Shape[0];
        try
        {
            for (var i = 0; i < count; i++)
            {
                using var copy = Copy(stored, (first + i) * elements, stored.Shape.AsSpan()[1..], loading);
                if (!loading.AllowNaN && FirstNaN(copy) is { } element) throw NaN(stored, (first + i) * elements + element);
                using var place = group.select(0, i);
                place.copy_(copy);
            }
            return group;
        }
        catch
        {
            group.Dispose();
            throw;
        }
    }

    /// <summary>A tensor of the elements from <paramref name="first"/> on, in plain memory.</summary>
    private static Tensor Copy(StoredTensor stored, long first, ReadOnlySpan<long> shape, WeightLoading loading)
    {
        var tensor = empty(shape, TypeOf(stored.Type), CPU);
        try
        {
            using var flat = tensor.view(-1);
            for (long at = 0, end = tensor.NumberOfElements; at < end; at += PieceElements)
            {
                using var piece = flat.narrow(0, at, Math.Min(PieceElements, end - at));
                stored.Read((first + at) * stored.ElementBytes, piece.bytes);
                loading.Pass(piece.NumberOfElements * stored.ElementBytes);
            }
            return tensor;
        }
        catch
        {
            tensor.Dispose();
            throw;
        }
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
