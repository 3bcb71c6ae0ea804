using System.Text.RegularExpressions;
using Akka.Event;

namespace ActorLlama.Runtime.Configuration;

/// <summary>
/// Which lines about refused connections are written. Whoever is refused may try again for days, a node that is started again by its host for instance, and garbage comes as fast as the
/// port takes it: of each kind and host one line a minute is enough, with how many were like it.
/// </summary>
internal sealed partial class RefusalLog
{
    /// <summary>More kinds than that at once, of many hosts for instance, are one.</summary>
    public const int MostKinds = 256;

    public static readonly TimeSpan Quiet = TimeSpan.FromMinutes(1);
    private const string Others = "";
    private readonly Dictionary<string, (DateTime Written, int Held)> _kinds = [];

    /// <summary>Null: it is not to be written. Otherwise how many like it were not since the last that was: 0 for all that is no refusal.</summary>
    public int? Take(LogEvent e, DateTime now)
    {
        if (!IsRefusal(e)) return 0;
        var kind = Kind(e);
        if (!_kinds.TryGetValue(kind, out var known))
        {
            if (_kinds.Count >= MostKinds) Forget(now);
            if (_kinds.Count >= MostKinds) known = _kinds.GetValueOrDefault(kind = Others);
        }

        var isDue = now - known.Written >= Quiet;
        _kinds[kind] = isDue ? (now, 0) : (known.Written, known.Held + 1);
        return isDue ? known.Held : null;
    }

    /// <summary>Akka's port, and the lane's: what they say of peers, not of what goes on here.</summary>
    private static bool IsRefusal(LogEvent e) => e.LogLevel() >= LogLevel.WarningLevel && e.LogClass.Name switch
    {
        "TcpServerHandler" or "TcpTransport" => true,
        "Lane" => e.GetTemplate() is { } template
            && (template.StartsWith("Lane refused ", StringComparison.Ordinal) || template.StartsWith("Lane connection ", StringComparison.Ordinal)),
        _ => false,
    };

    private static string Kind(LogEvent e) => Varying().Replace($"{e.LogClass.Name} {e.Message}", "");

    private void Forget(DateTime now)
    {
        foreach (var (kind, _) in _kinds.Where(k => now - k.Value.Written >= Quiet).ToArray()) _kinds.Remove(kind);
    }

    /// <summary>What differs from one try of a peer to the next: its port, a connection's id, the bytes that came.</summary>
    [GeneratedRegex(@"(?<=[\w.\]]):\d{1,5}\b|\(Id=\w+\)|\b[0-9a-fA-F]{16,}\b")]
    private static partial Regex Varying();
}
