using System.Collections.Immutable;
using ActorLlama.Planning.Kv;

namespace ActorLlama.Planning.Batching;

/// <summary>
/// Who waits and who is let in, each in order of rank, and whose KV is taken when others need it: that of the last in rank. So the first
/// always goes on, and everybody becomes the first at some time.
/// </summary>
internal sealed class SequenceQueue(SchedulerOptions options, KvBook kv)
{
    private readonly List<ScheduledSequence> _waiting = [];
    private readonly List<ScheduledSequence> _admitted = [];

    public IReadOnlyList<ScheduledSequence> Waiting => _waiting;

    /// <summary>Those that run, or are about to leave.</summary>
    public IReadOnlyList<ScheduledSequence> Admitted => _admitted;

    /// <summary>How often KV was taken from a sequence.</summary>
    public long Preemptions { get; private set; }

    /// <summary>Whether the next one would be let in at once.</summary>
    public bool IsOpenFor(ScheduledSequence sequence) => _waiting.Count == 0 && Fits(sequence);

    /// <summary>How many are let in before it; 0 when it is in.</summary>
    public int Ahead(ScheduledSequence sequence) => sequence.Phase == SequencePhase.Waiting ? _waiting.IndexOf(sequence) + 1 : 0;

    public void Enqueue(ScheduledSequence sequence)
    {
        sequence.Phase = SequencePhase.Waiting;
        Insert(_waiting, sequence);
    }

    /// <summary>Lets in by rank; the first that does not fit holds back those behind it.</summary>
    public ImmutableArray<ScheduledSequence> Admit()
    {
        var admitted = ImmutableArray.CreateBuilder<ScheduledSequence>();
        while (_waiting.Count > 0 && Fits(_waiting[0]))
        {
            var sequence = _waiting[0];
            _waiting.RemoveAt(0);
            sequence.Phase = SequencePhase.Ready;
            sequence.Promised = Need(sequence);
            Insert(_admitted, sequence);
            admitted.Add(sequence);
        }

        return admitted.DrainToImmutable();
    }

    /// <summary>Its KV, if any, is its caller's to end.</summary>
    public void Remove(ScheduledSequence sequence) =>
        (sequence.Phase == SequencePhase.Waiting ? _waiting : _admitted).Remove(sequence);

    /// <summary>
    /// Takes the KV of the last in rank for one that comes before it. False: nobody comes after it, or what it needs comes free once batches
    /// in flight are over.
    /// </summary>
    public bool TryPreemptFor(ScheduledSequence needy)
    {
        if (kv.IsPinned || _admitted.Any(s => s.Phase is SequencePhase.Leaving or SequencePhase.Yielding))
            return false;
        if (_admitted.FindLast(s => s.Kv is not null) is not { } last || last.Rank <= needy.Rank)
            return false;
        if (last.Phase == SequencePhase.InFlight)
        {
            last.Phase = SequencePhase.Yielding;
            return false;
        }

        Preempt(last);
        return true;
    }

    /// <summary>Takes its KV; it waits to begin anew from the tokens it has.</summary>
    public void Preempt(ScheduledSequence sequence)
    {
        Preemptions++;
        StartOver(sequence);
    }

    /// <summary>Its KV is void; it waits to begin anew from the tokens it has.</summary>
    public void StartOver(ScheduledSequence sequence)
    {
        kv.End(sequence.Kv!, keep: false);
        sequence.Kv = null;
        _admitted.Remove(sequence);
        Enqueue(sequence);
    }

    public void Clear()
    {
        _waiting.Clear();
        _admitted.Clear();
    }

    /// <summary>
    /// Its tokens fit beside what the others were let in for, and a block more for each of these, so that they need not take it away again soon.
    /// </summary>
    private bool Fits(ScheduledSequence sequence)
    {
        if (_admitted.Count >= options.MaxSequences)
            return false;
        var need = Need(sequence) + new KvCount(kv.Room.HasWhole ? _admitted.Count : 0, 0);
        foreach (var other in _admitted)
            need += other.Kv is { } begun ? kv.NeedToReach(begun, other.Tokens.Count) : other.Promised;
        return need.FitsIn(kv.Available) || _admitted.Count == 0;
    }

    private KvCount Need(ScheduledSequence sequence) => kv.NeedToBegin(sequence.Tokens, sequence.Chain, sequence.MostShared);

    private static void Insert(List<ScheduledSequence> sequences, ScheduledSequence sequence)
    {
        var place = sequences.FindIndex(s => s.Rank > sequence.Rank);
        sequences.Insert(place < 0 ? sequences.Count : place, sequence);
    }
}
