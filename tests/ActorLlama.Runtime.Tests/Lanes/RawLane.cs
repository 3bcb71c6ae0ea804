using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using ActorLlama.Protocol;
using ActorLlama.Runtime.Lanes;

namespace ActorLlama.Runtime.Tests.Lanes;

/// <summary>One end of a lane connection under a test's control: it sends and reads frames, or whatever else.</summary>
internal sealed class RawLane : IDisposable
{
    private RawLane(Stream stream)
    {
        Stream = stream;
        Reader = new FrameReader(Stream, TimeProvider.System);
    }

    public Stream Stream { get; }

    public FrameReader Reader { get; }

    private CancellationTokenSource Patience { get; } = new(TimeSpan.FromSeconds(20));

    public static async Task<RawLane> ConnectAsync(LaneEndpoint endpoint) => new(await SocketAsync(endpoint));

    /// <summary>Throws what the handshake throws.</summary>
    /// <param name="endpoint">Where a lane listens.</param>
    /// <param name="tls">What to shake hands with.</param>
    /// <param name="between">What lies between TLS and the socket.</param>
    public static async Task<RawLane> ConnectAsync(LaneEndpoint endpoint, SslClientAuthenticationOptions tls, Func<Stream, Stream>? between = null)
    {
        var socket = await SocketAsync(endpoint);
        var stream = new SslStream(between?.Invoke(socket) ?? socket);
        await stream.AuthenticateAsClientAsync(tls);
        return new RawLane(stream);
    }

    /// <summary>A listener, and its endpoint.</summary>
    public static (Socket Listener, LaneEndpoint Endpoint) Listen()
    {
        var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen();
        return (listener, new LaneEndpoint("127.0.0.1", ((IPEndPoint)listener.LocalEndPoint!).Port));
    }

    public static async Task<RawLane> AcceptAsync(Socket listener) => new(new NetworkStream(await listener.AcceptAsync(), ownsSocket: true));

    /// <summary>As the side that connected; the answer.</summary>
    public async Task<IClusterMessage> HelloAsync(LaneProtocol.Hello hello)
    {
        await Handshake.SendAsync(Stream, withPreamble: true, hello, Patience.Token);
        Assert.Equal(ProtocolVersion.Current, await Handshake.ReadPreambleAsync(Reader, Patience.Token));
        return await Handshake.ReadAsync(Reader, Patience.Token);
    }

    /// <summary>As the side that listens.</summary>
    public async Task<LaneProtocol.Hello> WelcomeAsync(LaneProtocol.Welcome welcome)
    {
        await Handshake.ReadPreambleAsync(Reader, Patience.Token);
        var hello = (LaneProtocol.Hello)await Handshake.ReadAsync(Reader, Patience.Token);
        await Handshake.SendAsync(Stream, withPreamble: true, welcome, Patience.Token);
        return hello;
    }

    public async Task SendAsync(ReadOnlyMemory<byte> bytes) => await Stream.WriteAsync(bytes, Patience.Token);

    /// <summary>The next frame, or null when the other side has closed.</summary>
    public async Task<(FrameHeader Header, byte[] Body)?> NextAsync()
    {
        try
        {
            return await Reader.ReadHeaderAsync(int.MaxValue, Patience.Token) is { } header
                ? (header, (await Reader.ReadAsync(header.Length, Patience.Token)).ToArray())
                : null;
        }
        catch (Exception e) when (e is IOException or LaneFormatException)
        {
            return null;
        }
    }

    public async Task UntilClosedAsync()
    {
        while (await NextAsync() is not null)
        {
        }
    }

    public void Dispose()
    {
        Reader.Dispose();
        Stream.Dispose();
        Patience.Dispose();
    }

    private static async Task<NetworkStream> SocketAsync(LaneEndpoint endpoint)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(endpoint.Host, endpoint.Port);
        return new NetworkStream(socket, ownsSocket: true);
    }
}
