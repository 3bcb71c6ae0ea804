using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace ActorLlama.Runtime.Lanes;

/// <summary>Headers and the payload behind them in one call to the system: neither a copy of the payload nor a packet for a header. Used by one loop at a time.</summary>
internal sealed class GatherWriter
{
    private readonly ArraySegment<byte>[] _parts = new ArraySegment<byte>[2];

    /// <summary>Ends when the system has both, or with an exception as <see cref="Stream.WriteAsync(ReadOnlyMemory{byte}, CancellationToken)"/>.</summary>
    public async ValueTask WriteAsync(Stream stream, ReadOnlyMemory<byte> head, ReadOnlyMemory<byte> body, CancellationToken cancel)
    {
        if (stream is not NetworkStream { Socket: var socket } || !MemoryMarshal.TryGetArray(head, out _parts[0]) || !MemoryMarshal.TryGetArray(body, out _parts[1]))
        {
            await stream.WriteAsync(head, cancel).ConfigureAwait(false);
            await stream.WriteAsync(body, cancel).ConfigureAwait(false);
            return;
        }
        var sending = socket.SendAsync(_parts, SocketFlags.None);
        // A call with several buffers takes no token: whoever ends the connection ends the socket.
        if (!sending.IsCompleted)
            await using (cancel.UnsafeRegister(static s => ((Socket)s!).Dispose(), socket).ConfigureAwait(false))
                await sending.ConfigureAwait(false);
        else
            await sending.ConfigureAwait(false);
    }
}
