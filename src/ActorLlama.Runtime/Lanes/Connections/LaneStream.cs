using System.Net.Sockets;

namespace ActorLlama.Runtime.Lanes;

/// <summary>
/// A lane's socket as a stream. On Linux it asks the system before each read to put off acknowledging what arrives: an answer goes over
/// another connection, so each packet would be acknowledged by one of its own (tcp(7), TCP_QUICKACK; it does not stay, so it is asked each time).
/// </summary>
internal sealed class LaneStream(Socket socket) : NetworkStream(socket, ownsSocket: true)
{
    private const int Tcp = 6;
    private const int QuickAck = 12;
    private static readonly bool s_isLinux = OperatingSystem.IsLinux();

    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (s_isLinux) Socket.SetRawSocketOption(Tcp, QuickAck, "\0\0\0\0"u8);
        return base.ReadAsync(buffer, cancellationToken);
    }
}
