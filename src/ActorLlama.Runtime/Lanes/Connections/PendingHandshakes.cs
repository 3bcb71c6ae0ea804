namespace ActorLlama.Runtime.Lanes;

/// <summary>
/// Connections that have not shaken hands, in the order in which they came. One too many ends the oldest: peers take milliseconds, so that is one that only holds the place. The
/// lock is there because connections come and finish on any thread; it is held for an operation on a list.
/// </summary>
internal sealed class PendingHandshakes(int limit)
{
    private readonly Lock _gate = new();
    private readonly LinkedList<InboundConnection> _waiting = new();

    /// <summary>The place is the connection's until the returned action is called, any number of times.</summary>
    public Action Enter(InboundConnection connection)
    {
        LinkedListNode<InboundConnection> place;
        InboundConnection? oldest = null;
        lock (_gate)
        {
            if (_waiting.Count >= limit)
            {
                oldest = _waiting.First!.Value;
                _waiting.RemoveFirst();
            }

            place = _waiting.AddLast(connection);
        }

        oldest?.CutOff($"{limit} others came while it did not shake hands");
        return () =>
        {
            lock (_gate)
                if (place.List is not null) _waiting.Remove(place);
        };
    }
}
