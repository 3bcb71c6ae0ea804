using System.Collections.Immutable;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace ActorLlama.Cli;

/// <summary>A cluster on this machine, the load on it, and the faults it must bear, one after the other.</summary>
internal sealed record ChaosScenario
{
    private static readonly JsonSerializerOptions s_json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.KebabCaseLower,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.KebabCaseLower, allowIntegerValues: false) },
        ReadCommentHandling = JsonCommentHandling.Skip,
        AllowTrailingCommas = true,
    };

    public required string Name { get; init; }

    /// <summary>The name, and what was asked for beside it.</summary>
    public string Title => Tls ? $"{Name}, with certificates" : Name;

    public int Nodes { get; init; } = 3;

    public int? Stages { get; init; }

    public int? ExpertShards { get; init; }

    /// <summary>Roles of single nodes, by their number from 1; the others have all.</summary>
    public ImmutableDictionary<int, ImmutableArray<string>> Roles { get; init; } = ImmutableDictionary<int, ImmutableArray<string>>.Empty;

    /// <summary>Each node has a host of its own, a network namespace: its network can be cut. Needs root.</summary>
    public bool Hosts { get; init; }

    /// <summary>Nodes and clients have certificates of an authority made for the run: Akka's port and the lanes speak TLS.</summary>
    public bool Tls { get; init; }

    /// <summary>More <c>key=value</c> settings of every node.</summary>
    public ImmutableArray<string> Settings { get; init; } = [];

    public int Sessions { get; init; } = 8;

    public int PromptTokens { get; init; } = 24;

    /// <summary>Tokens of each session.</summary>
    public int Tokens { get; init; } = 200;

    public required ImmutableArray<ChaosFault> Faults { get; init; }

    /// <summary>The scenarios of a file, one or a list of them. Throws <see cref="InvalidDataException"/>.</summary>
    public static ImmutableArray<ChaosScenario> Read(string path)
    {
        try
        {
            var text = File.ReadAllText(path);
            var all = text.TrimStart().StartsWith('[')
                ? JsonSerializer.Deserialize<ImmutableArray<ChaosScenario>>(text, s_json)
                : [JsonSerializer.Deserialize<ChaosScenario>(text, s_json)!];
            foreach (var scenario in all)
                if (scenario.Fault() is { } fault) throw new InvalidDataException($"Scenario: \"{path}\", \"{scenario.Name}\": {fault}");
            return all;
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"Scenario: \"{path}\": {e.Message}", e);
        }
    }

    /// <summary>The first thing that is wrong with it, or null.</summary>
    public string? Fault()
    {
        if (Nodes is < 2 or > 16) return $"nodes is {Nodes}; it must be from 2 to 16.";
        if (Sessions is < 1 or > 256) return $"sessions is {Sessions}; it must be from 1 to 256.";
        if (Tokens is < 20 or > 100_000) return $"tokens is {Tokens}; it must be from 20 to 100000.";
        if (PromptTokens is < 1 or > 100_000) return $"prompt-tokens is {PromptTokens}; it must be from 1 to 100000.";
        if (Faults.IsDefaultOrEmpty) return "faults is empty. Name at least one.";
        foreach (var node in Roles.Keys)
            if (node < 1 || node > Nodes) return $"roles names node {node}; nodes are 1 to {Nodes}.";
        foreach (var fault in Faults)
        {
            if (fault.BoundMs < 1) return $"bound-ms is {fault.BoundMs}; it must be at least 1.";
            if (fault.Times is < 1 or > 1000) return $"times is {fault.Times}; it must be from 1 to 1000.";
            if (fault.Times > 1 && fault.When != ChaosPhase.Decode) return $"times is {fault.Times} with when {fault.When}; only what meets decoding sessions can be done again to the same.";
            if (fault.Do is ChaosDeed.Cut or ChaosDeed.Stall && !Hosts) return $"a fault is {fault.Do}; that needs hosts to be true.";
            if (fault.Burst is < 1 or > 256) return $"burst is {fault.Burst}; it must be from 1 to 256.";
            if (fault.BurstPromptTokens is < 1 or > 100_000) return $"burst-prompt-tokens is {fault.BurstPromptTokens}; it must be from 1 to 100000.";
            if (fault.ForMs < 1) return $"for-ms is {fault.ForMs}; it must be at least 1.";
        }

        return null;
    }

    /// <summary>The load that comes with a fault beside its own: long prompts, short answers.</summary>
    public ChaosScenario Burst(ChaosFault fault) => this with { Sessions = fault.Burst, PromptTokens = fault.BurstPromptTokens, Tokens = 20 };

    private ImmutableArray<string> SettingsOf(int node, ChaosCertificates? certificates) =>
    [
        .. Roles.TryGetValue(node + 1, out var roles) ? [$"actorllama.node.roles=[{string.Join(',', roles)}]"] : Array.Empty<string>(),
        .. Hosts ? ChaosNetwork.SettingsOf(node, certificates) : [],
    ];

    /// <summary>The nodes of this scenario.</summary>
    /// <param name="model">The checkpoint folder.</param>
    /// <param name="logs">Where their logs are kept, or null.</param>
    /// <param name="network">Their hosts, where they have some.</param>
    /// <param name="certificates">Their certificates, where they have some.</param>
    public LocalClusterOptions ClusterOptions(string model, string? logs, ChaosNetwork? network, ChaosCertificates? certificates) => new(Nodes, model)
    {
        PrefixOfNode = node => network?.PrefixOf(node) ?? [],
        Stages = Stages,
        ExpertShards = ExpertShards,
        LogFolder = logs,
        Certificates = certificates?.Client,
        Settings = certificates is null || Hosts ? Settings : Settings.Add(certificates.Setting),
        SettingsOfNode = Enumerable.Range(0, Nodes).ToImmutableDictionary(node => node, node => SettingsOf(node, certificates)),
    };
}
