using System.Collections.Immutable;
using ActorLlama.Model;
using ActorLlama.Planning.Batching;
using ActorLlama.Planning.Routing;
using ActorLlama.Planning.Sessions;
using ActorLlama.Planning.Supervision;
using ActorLlama.Runtime.Lanes;

namespace ActorLlama.Runtime.Configuration;

/// <summary>Everything a node is told: bound from HOCON by <see cref="NodeOptionsReader"/>, valid once made.</summary>
public sealed record NodeOptions
{
    public required string Name { get; init; }
    public required ImmutableArray<string> Roles { get; init; }
    public required ImmutableArray<DeviceOptions> Devices { get; init; }

    /// <summary>Whether compute threads each stay on a processor.</summary>
    public required bool PlacesThreads { get; init; }

    public required TimeSpan OfferInterval { get; init; }
    public required bool EndsWithStandardInput { get; init; }
    public required ClusterOptions Cluster { get; init; }

    /// <summary>The folder of this node's certificate; "": plain TCP.</summary>
    public required string Certificates { get; init; }

    public required ModelOptions Model { get; init; }
    public required SupervisorOptions Supervisor { get; init; }
    public required SchedulerOptions Scheduler { get; init; }
    public required SessionOptions Session { get; init; }

    /// <summary>Sessions that this node holds at most.</summary>
    public required int MaxSessions { get; init; }

    public required ExpertCallOptions ExpertCalls { get; init; }
    public required LaneOptions Lane { get; init; }
    public required TelemetryOptions Telemetry { get; init; }

    /// <summary>Where the phases of training steps are noted; "": nowhere.</summary>
    public required string PhaseFolder { get; init; }

    public required Akka.Configuration.Config Akka { get; init; }

    public const string Trunk = "trunk";
    public const string Experts = "experts";
    public const string Control = "control";
}

/// <summary>
/// A device of this node. <paramref name="Threads"/>: compute threads, of CPU devices only. <paramref name="StuckAfter"/>: how long one piece of
/// work may take.
/// </summary>
public sealed record DeviceOptions(string Name, BackendKind Backend, long MemoryBytes, int Threads, TimeSpan StuckAfter)
{
    public bool IsCpu => Name.StartsWith("cpu:", StringComparison.Ordinal);

    /// <summary>The processor that each of its threads stays on; empty: any.</summary>
    public ImmutableArray<int> Processors { get; init; } = [];

    /// <summary>With libtorch: a row has the same bits whatever else is in the batch. Own kernels always do so.</summary>
    public bool Deterministic { get; init; }
}

public enum BackendKind
{
    Cpu,
    Torch,
}

/// <summary>
/// <paramref name="RejoinFor"/>: how long a node that was removed tries to join again. <paramref name="DeclaresGone"/>: a member whose process is seen to be gone is
/// declared lost at once.
/// </summary>
public sealed record ClusterOptions(string Host, int Port, ImmutableArray<string> Seeds, TimeSpan JoinTimeout, TimeSpan RejoinFor, bool DeclaresGone);

/// <summary>
/// The model of this node. <paramref name="Serves"/>: false where only its shape is there, to train. <paramref name="LoadRate"/>: bytes that a device reads in a second at most while it
/// loads; null: as many as it can. <paramref name="LoadStall"/>: how long a load may read nothing before its disk counts as failed.
/// </summary>
public sealed record ModelOptions(string Path, ActivationType Dtype, WeightType Weights, bool CopyWeights, bool AllowNaN, bool Serves, long? LoadRate, TimeSpan LoadStall)
{
    /// <summary>Nodes whose devices give other bits take part, and a session that moves may go on with other tokens than it would have had.</summary>
    public bool MixesNumerics { get; init; }
}
