using System.Collections.Concurrent;
using System.Text;
using ActorLlama.Protocol;
using Akka.Actor;

namespace ActorLlama.Runtime.Lanes;

/// <summary>The actors of this node that the lane delivers to.</summary>
internal sealed class LaneTargets(NodeId self)
{
    private readonly ConcurrentDictionary<string, Registered> _byPath = new(StringComparer.Ordinal);
    private long _numbers;

    public LaneTarget Add(IActorRef actor)
    {
        var path = actor.Path.ToStringWithoutAddress();
        _byPath[path] = new Registered(Interlocked.Increment(ref _numbers), path, actor);
        return new LaneTarget(self, path, actor.Path.Uid);
    }

    public void Remove(string path, long uid)
    {
        if (_byPath.TryGetValue(path, out var found) && found.Uid == uid)
            _byPath.TryRemove(new KeyValuePair<string, Registered>(path, found));
    }

    public Registered? Find(string path, long uid) => _byPath.TryGetValue(path, out var found) && found.Uid == uid ? found : null;

    public Registered? Find(ReadOnlySpan<byte> utf8Path, long uid)
    {
        if (utf8Path.Length > 1024) return null;
        Span<char> chars = stackalloc char[1024];
        var path = chars[..Encoding.UTF8.GetChars(utf8Path, chars)];
        return _byPath.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(path, out var found) && found.Uid == uid ? found : null;
    }

    /// <summary>
    /// One actor, with the receipts of messages without payload that are in its mailbox. They are given when the actor has answered an
    /// <see cref="Identify"/> that stands behind them: no actor has to say that it took a message.
    /// </summary>
    internal sealed class Registered(long number, string path, IActorRef actor)
    {
        private readonly Queue<LaneReceipt> _inMailbox = new();
        private int _ahead;

        public long Number { get; } = number;

        public string Path { get; } = path;

        public long Uid { get; } = actor.Path.Uid;

        public IActorRef Actor { get; } = actor;

        /// <summary>The message of that receipt was told before this call. True: send the actor an Identify now.</summary>
        public bool Add(LaneReceipt receipt)
        {
            lock (_inMailbox)
            {
                _inMailbox.Enqueue(receipt);
                if (_ahead > 0) return false;
                _ahead = _inMailbox.Count;
                return true;
            }
        }

        /// <summary>The Identify has been answered, or the actor has ended. True: send another.</summary>
        public bool Processed(bool isAlive)
        {
            List<LaneReceipt> receipts = [];
            bool again;
            lock (_inMailbox)
            {
                if (!isAlive) _ahead = _inMailbox.Count;
                for (; _ahead > 0; _ahead--) receipts.Add(_inMailbox.Dequeue());
                _ahead = _inMailbox.Count;
                again = _ahead > 0;
            }
            foreach (var receipt in receipts)
            {
                if (isAlive) receipt.Return();
                else receipt.Fail(LaneFailure.Gone);
            }
            return again;
        }
    }
}
