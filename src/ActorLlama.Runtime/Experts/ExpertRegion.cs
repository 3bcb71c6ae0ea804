using ActorLlama.Protocol;
using Akka.Cluster.Sharding;

namespace ActorLlama.Runtime.Experts;

/// <summary>Region "experts": one shard for each replica of an expert shard, named as its entity is: "{shard}-{replica}".</summary>
internal sealed class ExpertRegion : IMessageExtractor
{
    public const string Name = "experts";

    public string? EntityId(object message) => (message as ShardProtocol.Serve)?.EntityId;

    public object? EntityMessage(object message) => message;

    public string? ShardId(object message) => EntityId(message);

    public string ShardId(string entityId, object? messageHint = null) => entityId;
}
