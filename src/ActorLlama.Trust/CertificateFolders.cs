using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.RegularExpressions;

namespace ActorLlama.Trust;

/// <summary>
/// The folders of <c>actorllama cert</c>: one for the authority, one for each node, one for clients. Nothing is ever overwritten. Private keys are readable by their owner
/// only. Whatever cannot be written or read is an <see cref="InvalidDataException"/> or <see cref="IOException"/>.
/// </summary>
public static partial class CertificateFolders
{
    public const string Authority = "ca";
    public const string Client = "client";
    public const string AuthorityFile = "ca.pem";
    public const string CertificateFile = "certificate.pem";
    public const string KeyFile = "key.pem";
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    /// <summary>A new authority under <paramref name="folder"/>, a folder for each node, and one for clients.</summary>
    public static void Create(string folder, ImmutableArray<NodeHosts> nodes, TimeSpan validity, DateTimeOffset now)
    {
        if (Directory.Exists(folder) && Directory.EnumerateFileSystemEntries(folder).Any())
            throw new InvalidDataException($"Certificates: folder \"{folder}\" is not empty. Name a new one; cert add gives an existing authority's nodes more certificates.");
        Check(nodes);
        using var authority = CertificateAuthority.Create(now);
        var own = NewFolder(folder, Authority);
        WriteKey(own, authority.Certificate);
        Write(Path.Combine(own, AuthorityFile), authority.Certificate.ExportCertificatePem());
        AddAll(folder, authority, [.. nodes.Select(n => (n.Name, n.Hosts)), (Client, [])], validity, now);
    }

    /// <summary>Folders for more nodes, signed by the authority that is under <paramref name="folder"/>.</summary>
    public static void Add(string folder, ImmutableArray<NodeHosts> nodes, TimeSpan validity, DateTimeOffset now)
    {
        Check(nodes);
        foreach (var node in nodes)
            if (Path.Exists(Path.Combine(folder, node.Name)))
                throw new InvalidDataException($"Certificates: \"{Path.Combine(folder, node.Name)}\" exists. Move it away to replace it, or name another node.");
        using var authority = new CertificateAuthority(Load(Path.Combine(folder, Authority), AuthorityFile));
        AddAll(folder, authority, nodes.Select(n => (n.Name, n.Hosts)), validity, now);
    }

    /// <summary>The authority's certificate, without a key.</summary>
    internal static X509Certificate2 LoadAuthority(string folder) => Read(Path.Combine(folder, AuthorityFile), text => X509Certificate2.CreateFromPem(text));

    /// <summary>A certificate of the folder with the folder's key.</summary>
    internal static X509Certificate2 Load(string folder, string file)
    {
        using var certificate = Read(Path.Combine(folder, file), text => X509Certificate2.CreateFromPem(text));
        return Read(Path.Combine(folder, KeyFile), text => X509Certificate2.CreateFromPem(certificate.ExportCertificatePem(), text));
    }

    private static void AddAll(
        string folder, CertificateAuthority authority, IEnumerable<(string Name, ImmutableArray<string> Hosts)> owners, TimeSpan validity, DateTimeOffset now)
    {
        foreach (var (name, hosts) in owners)
        {
            using var certificate = authority.Issue(name, hosts, validity, now);
            var own = NewFolder(folder, name);
            WriteKey(own, certificate);
            Write(Path.Combine(own, CertificateFile), certificate.ExportCertificatePem());
            Write(Path.Combine(own, AuthorityFile), authority.Certificate.ExportCertificatePem());
        }
    }

    private static void Check(ImmutableArray<NodeHosts> nodes)
    {
        foreach (var node in nodes)
        {
            if (node.Name is Authority or Client || !NodeName().IsMatch(node.Name))
                throw new InvalidDataException(
                    $"Certificates: node \"{node.Name}\" cannot be a folder's name: letters, digits and ._:- do, \"{Authority}\" and \"{Client}\" are taken. Choose another.");
            foreach (var host in node.Hosts)
                if (Uri.CheckHostName(host) == UriHostNameType.Unknown)
                    throw new InvalidDataException($"Certificates: node \"{node.Name}\" has the host \"{host}\", which is neither a name nor an address. Correct it.");
        }

        if (nodes.GroupBy(n => n.Name).FirstOrDefault(g => g.Count() > 1) is { } twice)
            throw new InvalidDataException($"Certificates: node \"{twice.Key}\" is named twice. Name each once; hosts of one node are listed behind its \"=\".");
    }

    private static string NewFolder(string folder, string name)
    {
        var path = Path.Combine(folder, name);
        return OperatingSystem.IsWindows()
            ? Directory.CreateDirectory(path).FullName
            : Directory.CreateDirectory(path, OwnerOnly | UnixFileMode.UserExecute).FullName;
    }

    private static void WriteKey(string folder, X509Certificate2 certificate)
    {
        using var key = certificate.GetECDsaPrivateKey()!;
        Write(Path.Combine(folder, KeyFile), key.ExportPkcs8PrivateKeyPem());
    }

    private static void Write(string path, string pem)
    {
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows()) options.UnixCreateMode = OwnerOnly;
        using var file = new FileStream(path, options);
        using var text = new StreamWriter(file);
        text.WriteLine(pem);
    }

    private static T Read<T>(string path, Func<string, T> read)
    {
        if (!File.Exists(path))
            throw new InvalidDataException($"Certificates: file \"{path}\" does not exist. Copy the folder that actorllama cert init wrote for this host here, whole.");
        try
        {
            return read(File.ReadAllText(path));
        }
        catch (Exception e) when (e is CryptographicException or ArgumentException)
        {
            throw new InvalidDataException($"Certificates: file \"{path}\" cannot be read: {e.Message.ReplaceLineEndings(" ")} Copy the folder again, whole.", e);
        }
    }

    [GeneratedRegex("^[A-Za-z0-9][A-Za-z0-9._:-]{0,62}$")]
    private static partial Regex NodeName();
}
