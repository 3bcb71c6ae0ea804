using System.Collections.Immutable;
using Akka.Actor;
using Akka.Cluster.Tools.Client;
using Akka.Remote;

namespace ActorLlama.Client;

/// <summary>
/// The way into a cluster: a <see cref="ClusterClient"/>, which goes through any of the nodes it knows, and another one through the others as soon as a connection to one of them ends.
/// By itself it would find that out by missing heartbeats, after two seconds.
/// </summary>
internal sealed class ClusterEntrance : UntypedActor
{
    private readonly Address _first;
    private ImmutableHashSet<ActorPath> _contacts = [];
    private IActorRef _client = ActorRefs.Nobody;
    private int _clients;

    public ClusterEntrance(Address first) => _first = first;

    public static Props Props(Address first) => Akka.Actor.Props.Create(() => new ClusterEntrance(first));

    /// <summary>On the event stream: what was said to the cluster just now, or by it, may be lost.</summary>
    public sealed class Changed : INoSerializationVerificationNeeded
    {
        public static Changed Instance { get; } = new();
    }

    protected override void PreStart()
    {
        Context.System.EventStream.Subscribe(Self, typeof(DisassociatedEvent));
        Enter([new RootActorPath(_first) / "system" / "receptionist"]);
    }

    protected override void OnReceive(object message)
    {
        switch (message)
        {
            case ClusterClient.Send send: _client.Forward(send); break;
            case ContactPoints points: _contacts = [.. points.ContactPointsList]; break;
            case ContactPointAdded added: _contacts = _contacts.Add(added.ContactPoint); break;
            case ContactPointRemoved removed: _contacts = _contacts.Remove(removed.ContactPoint); break;
            case DisassociatedEvent ended: Lose(ended.RemoteAddress); break;
            default: Unhandled(message); break;
        }
    }

    private void Lose(Address address)
    {
        var others = _contacts.Where(path => path.Address != address).ToImmutableHashSet();
        if (others.Count == _contacts.Count || others.IsEmpty) return;
        _contacts = others;
        Context.Stop(_client);
        Enter(others);
        Context.System.EventStream.Publish(Changed.Instance);
    }

    private void Enter(ImmutableHashSet<ActorPath> contacts)
    {
        _client = Context.ActorOf(ClusterClient.Props(ClusterClientSettings.Create(Context.System).WithInitialContacts(contacts)), $"client-{_clients++}");
        _client.Tell(SubscribeContactPoints.Instance);
    }
}
