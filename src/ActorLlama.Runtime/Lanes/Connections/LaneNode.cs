using System.Collections.Concurrent;
using System.Collections.Immutable;
using ActorLlama.Protocol;
using ActorLlama.Trust;
using Akka.Actor;
using Akka.Event;

namespace ActorLlama.Runtime.Lanes;

/// <summary>What all connections of one node share.</summary>
internal sealed class LaneNode(
    LaneOptions options, LaneIdentity identity, TimeProvider time, ILoggingAdapter log, ClusterCredentials? credentials = null)
{
    private readonly ConcurrentDictionary<Task, byte> _running = [];
    private ImmutableHashSet<IActorRef> _subscribers = [];
    private LanePlan _plan = LanePlan.None;
    private long _messageIds;
    private int _inbound;
    private int _isStopped;

    public LaneOptions Options { get; } = options;

    public LaneIdentity Identity { get; } = identity;

    public TimeProvider Time { get; } = time;

    public ILoggingAdapter Log { get; } = log;

    /// <summary>For TLS; null: plain TCP.</summary>
    public ClusterCredentials? Credentials { get; } = credentials;

    public LaneCounters Counters { get; } = new();

    public LaneTargets Targets { get; } = new(identity.Self);

    public ConcurrentDictionary<NodeId, LanePeer> Peers { get; } = [];

    public IActorRef Watcher { get; set; } = ActorRefs.Nobody;

    public LanePlan Plan
    {
        get => Volatile.Read(ref _plan);
        set => Volatile.Write(ref _plan, value);
    }

    public bool IsStopped => Volatile.Read(ref _isStopped) != 0;

    /// <summary>Connections that peers opened, shaken hands or not.</summary>
    public int Inbound => Volatile.Read(ref _inbound);

    public IReadOnlyCollection<Task> Running => [.. _running.Keys];

    /// <summary>True for the first caller.</summary>
    public bool Stop() => Interlocked.Exchange(ref _isStopped, 1) == 0;

    public void CountInbound(int change) => Interlocked.Add(ref _inbound, change);

    public long NextMessageId() => Interlocked.Increment(ref _messageIds);

    public LanePeer PeerOf(NodeId node) => Peers.GetOrAdd(node, static (id, lane) => new LanePeer(lane, id), this);

    /// <summary>Keeps no record of a peer that no plan names and that has left: anybody can make up names.</summary>
    public void Forget(LanePeer peer)
    {
        if (peer.Connections == 0 && !Plan.Peers.ContainsKey(peer.Node)) Peers.TryRemove(new(peer.Node, peer));
    }

    public void Subscribe(IActorRef actor) => ImmutableInterlocked.Update(ref _subscribers, static (set, a) => set.Add(a), actor);

    public void Unsubscribe(IActorRef actor) => ImmutableInterlocked.Update(ref _subscribers, static (set, a) => set.Remove(a), actor);

    public void Publish(object news)
    {
        foreach (var subscriber in _subscribers) subscriber.Tell(news, ActorRefs.NoSender);
    }

    /// <summary>There was too little memory for what the lane was to do: subscribers hear <see cref="LaneRanOut"/>.</summary>
    public void RanOut(string why) => Publish(new LaneRanOut(why));

    /// <summary>Owns a loop until it ends. Loops end by themselves on all that peers can do; anything else is an error of ours.</summary>
    public void Track(Task loop)
    {
        _running.TryAdd(loop, 0);
        loop.ContinueWith(
            ended =>
            {
                _running.TryRemove(ended, out _);
                if (!ended.IsFaulted) return;
                Log.Error(ended.Exception, "A loop of the lane failed");
                if (ended.Exception.GetBaseException() is OutOfMemoryException e) RanOut(e.Message);
            },
            CancellationToken.None,
            TaskContinuationOptions.ExecuteSynchronously,
            TaskScheduler.Default);
    }
}
