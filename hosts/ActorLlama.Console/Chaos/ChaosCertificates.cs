using ActorLlama.Trust;

namespace ActorLlama.Cli;

/// <summary>
/// Certificates for the nodes of a run and for us, of an authority made for it alone: one for this machine, one for each host of a <see cref="ChaosNetwork"/>. Gone when disposed.
/// </summary>
internal sealed class ChaosCertificates : IDisposable
{
    private const string ThisMachine = "127.0.0.1";
    private static readonly TimeSpan s_validity = TimeSpan.FromDays(30);
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("actorllama-certificates-");

    /// <param name="nodes">How many nodes may have a host of their own.</param>
    public ChaosCertificates(int nodes) => CertificateFolders.Create(
        _folder.FullName, [.. Enumerable.Range(0, nodes).Select(ChaosNetwork.Host).Prepend(ThisMachine).Select(NodeHosts.Parse)], s_validity, TimeProvider.System.GetUtcNow());

    /// <summary>The folder of what we call the nodes with.</summary>
    public string Client => Path.Combine(_folder.FullName, CertificateFolders.Client);

    /// <summary>The setting of every node that listens on this machine's own address.</summary>
    public string Setting => SettingOf(ThisMachine);

    /// <summary>The setting of the node that has this host.</summary>
    public string SettingOf(string host) => $"{LocalClusterOptions.CertificatesKey}{Path.Combine(_folder.FullName, host)}";

    public void Dispose() => _folder.Delete(recursive: true);
}
