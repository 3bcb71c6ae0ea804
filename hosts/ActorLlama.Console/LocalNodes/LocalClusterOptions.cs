using System.Collections.Immutable;

namespace ActorLlama.Cli;

/// <summary>A cluster of node processes on this machine.</summary>
/// <param name="Nodes">How many processes; at least 1.</param>
/// <param name="Model">The checkpoint folder.</param>
internal sealed record LocalClusterOptions(int Nodes, string Model)
{
    internal const string CertificatesKey = "actorllama.security.certificates=";
    private const string PrometheusKey = "actorllama.telemetry.prometheus.port=";

    public int? Stages { get; init; }

    public int? ExpertShards { get; init; }

    /// <summary>"float32" or "bfloat16".</summary>
    public string? Dtype { get; init; }

    /// <summary>"cpu" or "torch".</summary>
    public string? Backend { get; init; }

    /// <summary>The nodes' settings file; null: the one of <c>config/</c> for so many nodes.</summary>
    public string? ConfigFile { get; init; }

    /// <summary>False: the nodes only train; of the model's folder they read its config alone.</summary>
    public bool Serves { get; init; } = true;

    /// <summary>Where each node's log goes; null: a new folder under the temporary one.</summary>
    public string? LogFolder { get; init; }

    /// <summary>Checkpoint folders of single nodes, by node number from 0; the others take <see cref="Model"/>.</summary>
    public ImmutableDictionary<int, string> ModelOfNode { get; init; } = ImmutableDictionary<int, string>.Empty;

    /// <summary>More settings for every node, each <c>key=value</c>.</summary>
    public ImmutableArray<string> Settings { get; init; } = [];

    /// <summary>Settings of single nodes, by node number from 0, after <see cref="Settings"/>.</summary>
    public ImmutableDictionary<int, ImmutableArray<string>> SettingsOfNode { get; init; } = ImmutableDictionary<int, ImmutableArray<string>>.Empty;

    /// <summary>What the command of a node, by its number from 0, begins with: for instance to run it in another network namespace.</summary>
    public Func<int, ImmutableArray<string>> PrefixOfNode { get; init; } = _ => [];

    /// <summary>The folder of the certificate that this process calls the nodes with: the nodes' own among <see cref="Settings"/> unless another is given; null: none.</summary>
    public string? Certificates
    {
        get => field ?? CertificatesOfNodes;
        init;
    }

    private string? CertificatesOfNodes => Settings.LastOrDefault(s => s.StartsWith(CertificatesKey, StringComparison.Ordinal))?[CertificatesKey.Length..].Trim('"') is { Length: > 0 } folder
        ? folder
        : null;

    /// <summary>Throws <see cref="InvalidDataException"/> for a model folder that is not there.</summary>
    public LocalClusterOptions Checked()
    {
        foreach (var folder in ModelOfNode.Values.Prepend(Model))
            if (!Directory.Exists(folder))
                throw new InvalidDataException($"Model: \"{folder}\" {(File.Exists(folder) ? "is a file" : "does not exist")}. Name a checkpoint folder.");
        return this;
    }

    /// <summary>The <c>key=value</c> settings of node <paramref name="index"/>, which joins through <paramref name="seeds"/>; none for the first.</summary>
    public IEnumerable<string> SettingsOf(int index, params string[] seeds)
    {
        yield return $"actorllama.node.name=node-{index + 1}";
        yield return "actorllama.node.lifeline=stdin";
        yield return "actorllama.cluster.port=0";
        yield return $"actorllama.cluster.seeds=[{string.Join(", ", seeds.Select(Quoted))}]";
        yield return $"actorllama.model.path={Quoted(Path.GetFullPath(ModelOfNode.GetValueOrDefault(index, Model)))}";
        if (!Serves) yield return "actorllama.model.serve=off";
        yield return $"actorllama.plan.nodes={Nodes}";
        if (Stages is { } stages) yield return $"actorllama.plan.stages={stages}";
        if (ExpertShards is { } shards) yield return $"actorllama.plan.expert-shards={shards}";
        if (Dtype is { } dtype) yield return $"actorllama.model.dtype={dtype}";
        if (Backend is { } backend) yield return $"actorllama.node.device-defaults.backend={backend}";
        foreach (var setting in Settings) yield return OfNode(setting, index);
        foreach (var setting in SettingsOfNode.GetValueOrDefault(index, [])) yield return setting;
    }

    /// <summary>Nodes of one machine cannot share a port: each has the next.</summary>
    private static string OfNode(string setting, int index) =>
        setting.StartsWith(PrometheusKey, StringComparison.Ordinal) && int.TryParse(setting[PrometheusKey.Length..], out var port) && port > 0
            ? $"{PrometheusKey}{port + index}"
            : setting;

    private static string Quoted(string text) =>
        $"\"{text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal)}\"";
}
