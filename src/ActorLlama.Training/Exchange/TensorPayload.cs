using ActorLlama.Protocol;
using ActorLlama.Runtime.Lanes;
using static TorchSharp.torch;

namespace ActorLlama.Training;

/// <summary>A tensor that goes to another actor: within the process a handle to it, across processes its bytes.</summary>
internal sealed class TensorPayload : Payload
{
    private readonly Tensor _tensor;

    private TensorPayload(Tensor tensor) => _tensor = tensor;

    public override int Bytes => (int)Math.Min(int.MaxValue, _tensor.NumberOfElements * _tensor.ElementSize);

    /// <summary>Takes the tensor, which nobody changes any more.</summary>
    public static Payload Of(Lane lane, LaneTarget to, Tensor tensor)
    {
        if (lane.IsLocal(to)) return new TensorPayload(tensor);
        using var scope = NewDisposeScope();
        using (tensor)
        {
            var values = tensor.cpu().contiguous();
            var payload = BytesPayload.Rent(checked((int)(values.NumberOfElements * values.ElementSize)));
            values.bytes.CopyTo(payload.Memory.Span);
            return payload;
        }
    }

    /// <summary>The values, flat or of the shape they had, on that device; the caller's. The payload is spent. Throws <see cref="MessageFormatException"/> when they are not as many.</summary>
    public static Tensor Open(Payload payload, long elements, ScalarType type, Device device)
    {
        using (payload)
        {
            if (payload is TensorPayload handle) return Moved(Checked(handle.Take(), elements, type), device);
            using var scope = NewDisposeScope();
            var bytes = ((BytesPayload)payload).Memory.Span;
            var values = empty(elements, type);
            if (bytes.Length != values.bytes.Length) throw new MessageFormatException($"Payload: {bytes.Length} bytes came where {values.bytes.Length} are wanted.");
            bytes.CopyTo(values.bytes);
            return values.to(device).DetachFromDisposeScope();
        }
    }

    protected override void Release() => _tensor.Dispose();

    private Tensor Take() => TryTake() ? _tensor : throw new ObjectDisposedException(nameof(TensorPayload), "Payload: it was opened or disposed before.");

    private static Tensor Moved(Tensor tensor, Device device)
    {
        if (tensor.device_type == device.type && (device.type == TorchSharp.DeviceType.CPU || tensor.device_index == device.index)) return tensor;
        using (tensor)
        {
            using var scope = NewDisposeScope();
            return tensor.to(device).DetachFromDisposeScope();
        }
    }

    private static Tensor Checked(Tensor tensor, long elements, ScalarType type)
    {
        if (tensor.NumberOfElements == elements && tensor.dtype == type) return tensor;
        var (found, foundType) = (tensor.NumberOfElements, tensor.dtype);
        tensor.Dispose();
        throw new MessageFormatException($"Payload: {found} values of {foundType} came where {elements} of {type} are wanted.");
    }
}
