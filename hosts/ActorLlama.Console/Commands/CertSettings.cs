using System.Collections.Immutable;
using System.ComponentModel;
using ActorLlama.Trust;
using Spectre.Console;
using Spectre.Console.Cli;

namespace ActorLlama.Cli;

/// <summary>Whose certificates <c>cert</c> writes, and for how long they serve.</summary>
internal abstract class CertSettings : CommandSettings
{
    private const int MostDays = 3650;

    [CommandArgument(0, "<DIR>")]
    [Description("The authority's folder, with a folder for each node in it.")]
    public string Folder { get; init; } = "";

    [CommandOption("--days <N>")]
    [Description("How long the certificates serve. Default: 825.")]
    public int Days { get; init; } = 825;

    protected abstract string[] NodeTexts { get; }

    public ImmutableArray<NodeHosts> NodesGiven => [.. NodeTexts.Select(NodeHosts.Parse)];

    public TimeSpan Validity => TimeSpan.FromDays(Days);

    public override ValidationResult Validate() =>
        Days is < 1 or > MostDays ? ValidationResult.Error($"--days is {Days}; it is from 1 to {MostDays}.") : ValidationResult.Success();

    /// <summary>What to do with the folders of these nodes.</summary>
    public IEnumerable<string> Instructions(ImmutableArray<NodeHosts> nodes) => nodes.Select(node =>
        $"{Path.Combine(Folder, node.Name)}: to the host of {string.Join(", ", node.Hosts)}, and there actorllama.security.certificates=DIR");
}
