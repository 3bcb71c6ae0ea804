using System.Net;
using System.Net.Sockets;
using ActorLlama.Client;

namespace ActorLlama.Cli.Tests;

/// <summary>Three node processes that serve the sample model, started once for all tests of this collection.</summary>
[CollectionDefinition(Name)]
public sealed class ClusterCollection : ICollectionFixture<ClusterFixture>
{
    public const string Name = "cluster";
}

/// <summary>See <see cref="ClusterCollection"/>. They show their metrics and send their traces here.</summary>
public sealed class ClusterFixture : IAsyncLifetime
{
    private readonly HttpListener _collector = new();
    private readonly List<byte[]> _traces = [];
    private Attachment? _attachment;

    internal string Address => _attachment!.Connection.Address;

    internal ClusterConnection Connection => _attachment!.Connection;

    /// <summary>Of the first node; the others have those after it.</summary>
    internal int PrometheusPort { get; private set; }

    /// <summary>Whether some batch of spans that came has these bytes.</summary>
    internal bool TracesHave(byte[] text)
    {
        lock (_traces) return _traces.Any(batch => batch.AsSpan().IndexOf(text) >= 0);
    }

    public async Task InitializeAsync()
    {
        var collectorPort = FreePorts(1);
        PrometheusPort = FreePorts(3);
        _collector.Prefixes.Add($"http://127.0.0.1:{collectorPort}/");
        _collector.Start();
        _ = CollectAsync();
        _attachment = await Attachment.ToOwnAsync(
            new LocalClusterOptions(3, ProgramRun.SampleModel)
            {
                Settings =
                [
                    $"actorllama.telemetry.prometheus.port={PrometheusPort}", $"actorllama.telemetry.otlp.endpoint=http://127.0.0.1:{collectorPort}",
                    "actorllama.telemetry.otlp.protocol=http", "actorllama.telemetry.trace-ratio=1",
                ],
            },
            CancellationToken.None);
    }

    public async Task DisposeAsync()
    {
        if (_attachment is not null) await _attachment.DisposeAsync();
        _collector.Close();
    }

    /// <summary>The first of so many ports that are free now.</summary>
    private static int FreePorts(int count)
    {
        while (true)
        {
            var first = Random.Shared.Next(20_000, 30_000);
            try
            {
                for (var port = first; port < first + count; port++)
                {
                    using var probe = new TcpListener(IPAddress.Loopback, port);
                    probe.Start();
                }

                return first;
            }
            catch (SocketException)
            {
                continue;
            }
        }
    }

    private async Task CollectAsync()
    {
        try
        {
            while (true)
            {
                var context = await _collector.GetContextAsync();
                using var body = new MemoryStream();
                await context.Request.InputStream.CopyToAsync(body);
                if (context.Request.Url!.AbsolutePath == "/v1/traces")
                    lock (_traces) _traces.Add(body.ToArray());
                context.Response.Close();
            }
        }
        catch (Exception e) when (e is HttpListenerException or ObjectDisposedException)
        {
            // Closed with the fixture.
        }
    }
}
