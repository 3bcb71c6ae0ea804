using System.Net;
using System.Net.Sockets;

namespace ActorLlama.Benchmarks.Micro.Lanes;

/// <summary>The floor: asynchronous sockets on loopback that send a length's worth of bytes there and back, and nothing else.</summary>
public sealed class RawEcho : IAsyncDisposable
{
    private readonly byte[] _sent;
    private readonly byte[] _received;
    private readonly Socket _client;
    private readonly Socket _server;
    private readonly Task _echo;

    private RawEcho(int bytes, Socket client, Socket server)
    {
        (_sent, _received, _client, _server) = (new byte[bytes], new byte[bytes], client, server);
        _echo = EchoAsync(bytes);
    }

    public static async Task<RawEcho> StartAsync(int bytes)
    {
        using var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen(1);
        var client = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await client.ConnectAsync(listener.LocalEndPoint!);
        var server = await listener.AcceptAsync();
        server.NoDelay = true;
        return new RawEcho(bytes, client, server);
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
        await _echo.WaitAsync(TimeSpan.FromSeconds(10));
        _server.Dispose();
    }

    private async Task EchoAsync(int bytes)
    {
        var buffer = new byte[bytes];
        while (await FillAsync(_server, buffer)) await SendAsync(_server, buffer);
    }

    private static async Task SendAsync(Socket socket, ReadOnlyMemory<byte> bytes)
    {
        while (bytes.Length > 0) bytes = bytes[await socket.SendAsync(bytes, SocketFlags.None)..];
    }

    /// <summary>False when the other side has closed.</summary>
    private static async Task<bool> FillAsync(Socket socket, Memory<byte> bytes)
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
