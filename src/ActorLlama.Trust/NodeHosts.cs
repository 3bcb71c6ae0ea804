using System.Collections.Immutable;

namespace ActorLlama.Trust;

/// <summary>A node that gets a certificate, and the names and addresses at which others call it: what its cluster.host may be.</summary>
public sealed record NodeHosts(string Name, ImmutableArray<string> Hosts)
{
    /// <summary>From NAME, which is its host too, or NAME=HOST,HOST.</summary>
    public static NodeHosts Parse(string text)
    {
        var at = text.IndexOf('=', StringComparison.Ordinal);
        if (at < 0) return new NodeHosts(text, [text]);
        ImmutableArray<string> hosts = [.. text[(at + 1)..].Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)];
        return hosts.IsEmpty
            ? throw new InvalidDataException($"Certificates: node \"{text}\" has no host behind its \"=\". Write NAME=HOST, or NAME where that is the host.")
            : new NodeHosts(text[..at], hosts);
    }
}
