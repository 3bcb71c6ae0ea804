namespace ActorLlama.Runtime.Configuration;

/// <summary>Where a node's metrics and traces go; by default nowhere.</summary>
/// <param name="PrometheusHost">Where Prometheus reads metrics.</param>
/// <param name="PrometheusPort">0: nowhere.</param>
/// <param name="OtlpEndpoint">Where metrics and traces are sent; null: nowhere.</param>
/// <param name="IsOtlpHttp">By HTTP instead of gRPC.</param>
/// <param name="TraceRatio">The share of batches that are traced, from 0 to 1.</param>
public sealed record TelemetryOptions(string PrometheusHost, int PrometheusPort, Uri? OtlpEndpoint, bool IsOtlpHttp, double TraceRatio)
{
    /// <summary>The name of the meter and of the source of activities.</summary>
    public const string Scope = Telemetry.NodeTracing.Scope;
}

/// <summary>Binds where metrics and traces go.</summary>
internal static class TelemetrySettings
{
    private const string Root = "actorllama.telemetry.";

    public static TelemetryOptions Read(Setting setting)
    {
        const string endpointKey = Root + "otlp.endpoint";
        var text = setting.Text(endpointKey);
        _ = setting.OneOf(Root + "log-format", setting.Text(Root + "log-format"), ("text", false), ("json", true));
        Uri? endpoint = null;
        if (text.Length > 0 && (!Uri.TryCreate(text, UriKind.Absolute, out endpoint) || endpoint.Scheme is not ("http" or "https")))
            endpoint = setting.Fault<Uri?>(endpointKey, text, "an address such as http://127.0.0.1:4317", null);
        return new(
            setting.Text(Root + "prometheus.host"),
            setting.Number(Root + "prometheus.port", 0, 65535),
            endpoint,
            setting.OneOf(Root + "otlp.protocol", setting.Text(Root + "otlp.protocol"), ("grpc", false), ("http", true)),
            setting.Share(Root + "trace-ratio"));
    }
}
