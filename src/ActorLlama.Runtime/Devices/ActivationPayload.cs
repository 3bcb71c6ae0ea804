using ActorLlama.Model;
using ActorLlama.Protocol;

namespace ActorLlama.Runtime.Devices;

/// <summary>A payload that never leaves its process: an owned handle to rows on a device.</summary>
internal sealed class ActivationPayload(Activation rows, IBackend device) : Payload
{
    public override int Bytes => rows.Rows * device.RowBytes(rows.Width);

    /// <summary>The rows, for a receiver on <paramref name="backend"/>'s device; on another device they are copied over.</summary>
    public Activation Open(IBackend backend)
    {
        if (!TryTake()) throw new ObjectDisposedException(nameof(ActivationPayload), "Payload: it was opened or disposed before.");
        if (ReferenceEquals(backend, device)) return rows;
        using (rows)
        {
            using var bytes = BytesPayload.Rent(rows.Rows * device.RowBytes(rows.Width));
            device.Write(rows, bytes.Memory.Span);
            return backend.Read(bytes.Memory.Span, rows.Rows, rows.Width);
        }
    }

    protected override void Release() => rows.Dispose();
}
