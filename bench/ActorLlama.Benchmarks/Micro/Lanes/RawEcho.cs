using System.Net;
using System.Net.Sockets;

namespace ActorLlama.Benchmarks.Micro.Lanes;

/// <summary>The floor: asynchronous sockets between two processes that send a length's worth of bytes there and back, and nothing else.</summary>
internal sealed class RawEcho : IEcho
{
    private readonly byte[] _sent;
    private readonly byte[] _received;
    private readonly Socket _client;
    private readonly EchoProcess _far;

    private RawEcho(int bytes, Socket client, EchoProcess far) => (_sent, _received, _client, _far) = (new byte[bytes], new byte[bytes], client, far);

    public static async Task<RawEcho> StartAsync(int bytes)
    {
        var far = await EchoProcess.StartAsync(EchoKind.Raw, bytes, 0);
        var client = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await client.ConnectAsync(IPAddress.Loopback, far.Address.Port);
        return new RawEcho(bytes, client, far);
    }

    public async Task RoundTripsAsync(int count)
    {
        for (var i = 0; i < count; i++)
        {
            await SendAsync(_client, _sent);
            if (!await FillAsync(_client, _received)) throw new IOException("Raw echo: the connection ended.");
        }
    }

    public async ValueTask DisposeAsync()
    {
        _client.Dispose();
        await _far.DisposeAsync();
    }

    internal static async Task SendAsync(Socket socket, ReadOnlyMemory<byte> bytes)
    {
        while (bytes.Length > 0) bytes = bytes[await socket.SendAsync(bytes, SocketFlags.None)..];
    }

    /// <summary>False when the other side has closed.</summary>
    internal static async Task<bool> FillAsync(Socket socket, Memory<byte> bytes)
    {
        while (bytes.Length > 0)
        {
            var count = await socket.ReceiveAsync(bytes, SocketFlags.None);
            if (count == 0) return false;
            bytes = bytes[count..];
        }

        return true;
    }
}
