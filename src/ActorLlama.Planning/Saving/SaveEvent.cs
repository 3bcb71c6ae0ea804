using System.Collections.Immutable;
using ActorLlama.Protocol;

namespace ActorLlama.Planning.Saving;

/// <summary>What happens to saves.</summary>
public abstract record SaveEvent
{
    private SaveEvent()
    {
    }

    /// <summary>Somebody asks for one, while the cluster is as <paramref name="Cluster"/> says.</summary>
    public sealed record Requested(ClusterProtocol.Save Save, ClusterProtocol.Status Cluster) : SaveEvent;

    /// <summary>The shared folder is there, with that nonce in its journal.</summary>
    public sealed record FolderMade(SaveId Save, string Folder, string Nonce) : SaveEvent;

    public sealed record Reported(SaveProtocol.Report Report) : SaveEvent;

    /// <summary>The parts are one checkpoint now.</summary>
    public sealed record Committed(SaveId Save) : SaveEvent;

    /// <summary>The folder could not be made, or the parts not be made one checkpoint.</summary>
    public sealed record Failed(SaveId Save, string Reason) : SaveEvent;

    /// <summary>Another plan is assigned.</summary>
    public sealed record Replanned(long PlanEpoch, string Cause) : SaveEvent;

    /// <summary>The node was removed from the cluster.</summary>
    public sealed record NodeLost(NodeId Node) : SaveEvent;

    public sealed record Cancelled(SaveId Save) : SaveEvent;

    /// <summary>Time passes: several times a second.</summary>
    public sealed record Tick : SaveEvent;
}

/// <summary>What is to be done about saves, in this order.</summary>
public abstract record SaveEffect
{
    private SaveEffect()
    {
    }

    /// <summary>Tell who asked that there will be no such save.</summary>
    public sealed record Refuse(SaveId Save, string Reason) : SaveEffect;

    /// <summary>Make the hidden folder for a target, with room for that many bytes.</summary>
    public sealed record MakeFolder(SaveId Save, string Target, long Bytes) : SaveEffect;

    public sealed record Tell(NodeId Node, IClusterMessage Message) : SaveEffect;

    /// <summary>Make the files one checkpoint and give it its name.</summary>
    public sealed record Commit(SaveId Save, string Folder, string Target, ImmutableArray<SaveProtocol.File> Files) : SaveEffect;

    public sealed record RemoveFolder(string Folder) : SaveEffect;

    /// <summary>A save has ended; for the log.</summary>
    public sealed record Ended(ClusterProtocol.SaveStatus Status) : SaveEffect;
}
