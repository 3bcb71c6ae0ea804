using System.Net;
using System.Net.Sockets;

namespace ActorLlama.Benchmarks.Micro.Lanes;

/// <summary>The far end of <see cref="RawEcho"/>: sends a length's worth of bytes back, to one client.</summary>
internal sealed class RawEchoServer : IDisposable
{
    private readonly Socket _listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);

    public RawEchoServer(int bytes)
    {
        _listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        _listener.Listen(1);
        Echo = EchoAsync(bytes);
    }

    public int Port => ((IPEndPoint)_listener.LocalEndPoint!).Port;

    /// <summary>Ends when the client has closed.</summary>
    public Task Echo { get; }

    public void Dispose() => _listener.Dispose();

    private async Task EchoAsync(int bytes)
    {
        using var socket = await _listener.AcceptAsync();
        socket.NoDelay = true;
        var buffer = new byte[bytes];
        while (await RawEcho.FillAsync(socket, buffer)) await RawEcho.SendAsync(socket, buffer);
    }
}
