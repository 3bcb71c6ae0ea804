using System.Globalization;
using ActorLlama.Protocol;

namespace ActorLlama.Cli;

/// <summary>What the cluster's history and the nodes' logs say of a span of time.</summary>
internal static class ChaosTimeline
{
    private const string Clock = "HH:mm:ss.fff";

    /// <summary>Who repeats each second that nobody is where a node was.</summary>
    private static readonly string[] s_noise = ["remoting", "endpointWriter", "reliableEndpointWriter", "TcpClientHandler", "TcpServerHandler"];

    /// <summary>Events, and lines of all nodes' logs, within the span, in order of time. Events are the cluster's or of the node that they name.</summary>
    public static IEnumerable<(double Ms, string Node, string What)> Read(
        string logFolder, IEnumerable<ClusterProtocol.Event> history, DateTime fromUtc, DateTime toUtc) =>
        history.Select(e => (Value: (DateTimeOffset.FromUnixTimeMilliseconds(e.UtcMs).UtcDateTime - fromUtc).TotalMilliseconds, Node: e.Node.Length > 0 ? e.Node : "cluster", What: $"{e.Kind}: {e.Text}"))
            .Where(e => e.Value >= -1)
            .Concat(LogLines(logFolder, fromUtc, toUtc))
            .OrderBy(l => l.Value);

    private static IEnumerable<(double Value, string Node, string What)> LogLines(string logFolder, DateTime fromUtc, DateTime toUtc) =>
        Directory.EnumerateFiles(logFolder, "*.log").SelectMany(file => Lines(file).Select(line => (Of(line, fromUtc), Node: Path.GetFileNameWithoutExtension(file), line)))
            .Where(l => l.Item1 is >= 0 and var ms && ms <= (toUtc - fromUtc).TotalMilliseconds)
            .Select(l => (l.Item1!.Value, l.Node, l.line[(Clock.Length + 1)..]))
            .Where(l => !s_noise.Any(noise => l.Item3.Contains($" {noise}", StringComparison.Ordinal)));

    private static double? Of(string line, DateTime fromUtc) =>
        line.Length > Clock.Length && TimeOnly.TryParseExact(line.AsSpan(0, Clock.Length), Clock, CultureInfo.InvariantCulture, DateTimeStyles.None, out var time)
            ? (time - TimeOnly.FromDateTime(fromUtc)) is var after && after > TimeSpan.FromHours(12) ? (after - TimeSpan.FromDays(1)).TotalMilliseconds : after.TotalMilliseconds
            : null;

    /// <summary>Nodes write meanwhile.</summary>
    private static IEnumerable<string> Lines(string file)
    {
        using var reader = new StreamReader(new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite));
        while (reader.ReadLine() is { } line) yield return line;
    }
}
