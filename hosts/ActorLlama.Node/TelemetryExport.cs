using System.Net;
using ActorLlama.Runtime.Configuration;
using OpenTelemetry;
using OpenTelemetry.Exporter;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace ActorLlama.Node;

/// <summary>Shows a node's metrics to Prometheus and sends metrics and traces by OTLP, as its settings say; ends when disposed.</summary>
internal sealed class TelemetryExport : IDisposable
{
    private readonly MeterProvider? _metrics;
    private readonly TracerProvider? _traces;

    private TelemetryExport(MeterProvider? metrics, TracerProvider? traces) => (_metrics, _traces) = (metrics, traces);

    /// <summary>Throws <see cref="InvalidDataException"/> when the port cannot be had.</summary>
    public static TelemetryExport Start(TelemetryOptions options, string name, string address)
    {
        var resource = ResourceBuilder.CreateDefault()
            .AddService("actorllama", autoGenerateServiceInstanceId: false, serviceInstanceId: address)
            .AddAttributes([new("actorllama.node", name)]);
        TracerProvider? traces = null;
        if (options is { OtlpEndpoint: not null, TraceRatio: > 0 })
            traces = Sdk.CreateTracerProviderBuilder().SetResourceBuilder(resource).AddSource(TelemetryOptions.Scope)
                .SetSampler(new ParentBasedSampler(new TraceIdRatioBasedSampler(options.TraceRatio)))
                .AddOtlpExporter(o => Address(o, options, "v1/traces")).Build();
        if (options is { OtlpEndpoint: null, PrometheusPort: 0 }) return new(null, traces);
        var metrics = Sdk.CreateMeterProviderBuilder().SetResourceBuilder(resource).AddMeter(TelemetryOptions.Scope, "System.Runtime");
        if (options.OtlpEndpoint is not null) metrics.AddOtlpExporter(o => Address(o, options, "v1/metrics"));
        if (options.PrometheusPort > 0) metrics.AddPrometheusHttpListener(o => (o.Host, o.Port) = (options.PrometheusHost, options.PrometheusPort));
        try
        {
            return new(metrics.Build(), traces);
        }
        catch (Exception e) when (e.GetBaseException() is HttpListenerException or System.Net.Sockets.SocketException)
        {
            traces?.Dispose();
            throw new InvalidDataException(
                $"Telemetry: cannot listen on {options.PrometheusHost}:{options.PrometheusPort}: {e.GetBaseException().Message}. Choose another actorllama.telemetry.prometheus.port.", e);
        }
    }

    public void Dispose()
    {
        _traces?.Dispose();
        _metrics?.Dispose();
    }

    private static void Address(OtlpExporterOptions to, TelemetryOptions options, string httpPath)
    {
        to.Protocol = options.IsOtlpHttp ? OtlpExportProtocol.HttpProtobuf : OtlpExportProtocol.Grpc;
        to.Endpoint = options.IsOtlpHttp ? new Uri(options.OtlpEndpoint!, httpPath) : options.OtlpEndpoint!;
    }
}
