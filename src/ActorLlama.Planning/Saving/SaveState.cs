using System.Collections.Immutable;
using ActorLlama.Protocol;

namespace ActorLlama.Planning.Saving;

/// <summary>
/// The save that runs, if one does, and how the last one ended. Begins with <see cref="Idle"/>; changed by <see cref="SaveRules.Step"/> only.
/// </summary>
public sealed record SaveState
{
    /// <param name="silenceMs">A node not heard of for this long ends a save.</param>
    /// <param name="resendMs">Time between two sendings of what a node has not answered.</param>
    public static SaveState Idle(long silenceMs = 10_000, long resendMs = 500) => new() { SilenceMs = silenceMs, ResendMs = resendMs };

    private SaveState()
    {
    }

    internal long SilenceMs { get; private init; }

    internal long ResendMs { get; private init; }

    internal RunningSave? Running { get; init; }

    internal ClusterProtocol.SaveStatus? Last { get; init; }

    /// <summary>No save is on its way.</summary>
    public bool IsIdle => Running is null;

    /// <summary>What is known of a save.</summary>
    public ClusterProtocol.SaveStatus StatusOf(SaveId save) =>
        Running is { } running && running.Id == save ? running.Status
        : Last is { } last && last.Id == save ? last
        : new ClusterProtocol.SaveStatus(save, SavePhase.Unknown, 0, 0, "");
}

/// <summary>A save on its way: Preparing → Writing → Committing.</summary>
/// <param name="Id">Which.</param>
/// <param name="Target">The folder to be.</param>
/// <param name="PlanEpoch">The plan whose owners write.</param>
/// <param name="Parts">What they write.</param>
/// <param name="Names">Their nodes' names.</param>
internal sealed record RunningSave(
    SaveId Id, string Target, long PlanEpoch, ImmutableArray<SaveProtocol.Part> Parts, ImmutableDictionary<NodeId, string> Names)
{
    public SavePhase Phase { get; init; } = SavePhase.Preparing;

    /// <summary>The hidden folder and its nonce; empty while it is being made.</summary>
    public (string Path, string Nonce) Folder { get; init; } = ("", "");

    public ImmutableDictionary<NodeId, SaveProtocol.Report> Reports { get; init; } = ImmutableDictionary<NodeId, SaveProtocol.Report>.Empty;

    public ImmutableDictionary<NodeId, long> HeardMs { get; init; } = ImmutableDictionary<NodeId, long>.Empty;

    public long SentMs { get; init; }

    public IEnumerable<NodeId> Nodes => Parts.Select(part => part.Device.Node).Distinct();

    public bool IsComplete => Nodes.All(node => Reports.TryGetValue(node, out var report) && report.Files is not null);

    public ClusterProtocol.SaveStatus Status => new(
        Id, Phase, Reports.Values.Sum(report => report.WrittenBytes),
        Nodes.Sum(node => Reports.TryGetValue(node, out var report) ? report.TotalBytes : Of(node).Sum(part => part.WeightBytes)), "");

    public IEnumerable<SaveProtocol.Part> Of(NodeId node) => Parts.Where(part => part.Device.Node == node);

    /// <summary>A node with what it writes, in words.</summary>
    public string InWords(NodeId node) => $"node \"{Names.GetValueOrDefault(node, node.Address)}\", which writes {SaveParts.InWords(Of(node))},";
}
