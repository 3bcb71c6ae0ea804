using MessagePack;

namespace ActorLlama.Protocol;

/// <summary>One incarnation of one process: cluster address and Akka's uid. A restarted process has another uid.</summary>
[MessagePackObject]
public readonly record struct NodeId([property: Key(0)] string Address, [property: Key(1)] long Uid)
{
    /// <summary>The address without protocol and system: HOST:PORT.</summary>
    [IgnoreMember]
    public string HostAndPort => Address[(Address.IndexOf('@') + 1)..];

    [IgnoreMember]
    public string Host => HostAndPort[..HostAndPort.LastIndexOf(':')];

    public override string ToString() => $"{Address}#{Uid}";
}

/// <summary>A device of a node, such as "cpu:0" or "cuda:1".</summary>
[MessagePackObject]
public readonly record struct DeviceId([property: Key(0)] NodeId Node, [property: Key(1)] string Name)
{
    public override string ToString() => $"{Name}@{Node.Address}";
}

/// <summary>One conversation or completion, chosen by its client.</summary>
[MessagePackObject]
public readonly record struct SessionId([property: Key(0)] string Value)
{
    public override string ToString() => Value;
}

/// <summary>One save of the model by its cluster, chosen by whoever asks for it: letters and digits.</summary>
[MessagePackObject]
public readonly record struct SaveId([property: Key(0)] string Value)
{
    public override string ToString() => Value;
}

/// <summary>One incarnation of a sequence in a pipeline, unique over all pipelines and their epochs. Keys the KV cache with the position.</summary>
[MessagePackObject]
public readonly record struct SequenceId([property: Key(0)] long Value, [property: Key(1)] int Pipeline)
{
    public override string ToString() => $"{Pipeline}.{Value >> 32}.{(uint)Value}";
}

/// <summary>
/// One run of one batch: a retry has the same batch and the next attempt. Plan: the epoch of its pipeline's stages. Unique over all pipelines,
/// whose stages may share expert shards.
/// </summary>
[MessagePackObject]
public readonly record struct BatchId(
    [property: Key(0)] long Plan, [property: Key(1)] long Number, [property: Key(2)] int Attempt, [property: Key(3)] int Pipeline);

/// <summary>An expert call: rows of one layer of a batch for one expert shard, and which resend of them this is.</summary>
[MessagePackObject]
public readonly record struct CallId(
    [property: Key(0)] BatchId Batch, [property: Key(1)] int Layer, [property: Key(2)] int Shard, [property: Key(3)] int Resend);

/// <summary>
/// An actor on the lane: its node's incarnation, its path in that node and the path's uid. <paramref name="Request"/>: in a reply address
/// the request that it answers, so that the lane knows which one is done; else 0.
/// </summary>
[MessagePackObject]
public readonly record struct LaneTarget(
    [property: Key(0)] NodeId Node, [property: Key(1)] string Path, [property: Key(2)] long Uid, [property: Key(3)] long Request = 0);

/// <summary>Where a node's lane listens.</summary>
[MessagePackObject]
public readonly record struct LaneEndpoint([property: Key(0)] string Host, [property: Key(1)] int Port);
