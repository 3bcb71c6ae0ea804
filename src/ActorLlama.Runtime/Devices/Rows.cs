using ActorLlama.Model;
using ActorLlama.Protocol;
using ActorLlama.Runtime.Lanes;

namespace ActorLlama.Runtime.Devices;

/// <summary>Rows in and out of payloads: a handle within the process, bytes across it. Values are already of the activation dtype.</summary>
internal static class Rows
{
    /// <summary>Takes ownership of <paramref name="rows"/>. Called on the device's thread.</summary>
    public static Payload ToPayload(IBackend backend, Activation rows, Lane lane, LaneTarget to)
    {
        if (lane.IsLocal(to)) return new ActivationPayload(rows, backend);
        using (rows)
        {
            var bytes = BytesPayload.Rent(rows.Rows * backend.RowBytes(rows.Width));
            backend.Write(rows, bytes.Memory.Span);
            return bytes;
        }
    }

    /// <summary>Opens the payload as rows of <paramref name="width"/> values; it is spent afterwards, whatever happens.</summary>
    public static Activation Open(IBackend backend, Payload payload, int width)
    {
        using (payload)
        {
            if (payload is ActivationPayload handle) return handle.Open(backend);
            var bytes = ((BytesPayload)payload).Memory.Span;
            var rowBytes = backend.RowBytes(width);
            if (bytes.Length % rowBytes != 0)
                throw new MessageFormatException($"Payload: {bytes.Length} bytes are not whole rows of {rowBytes} bytes.");
            return backend.Read(bytes, bytes.Length / rowBytes, width);
        }
    }
}
