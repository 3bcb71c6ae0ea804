namespace ActorLlama.Text;

/// <summary>
/// The candidate that occurs most often; of equals the one whose bytes come first. Counts that fell are noticed when an entry is taken, those that rose
/// are to be told.
/// </summary>
internal sealed class MergeQueue
{
    private readonly PriorityQueue<MergeCandidate, (long Count, byte[] Bytes)> _entries = new(Comparer<(long Count, byte[] Bytes)>.Create(
        (x, y) => x.Count != y.Count ? y.Count.CompareTo(x.Count) : x.Bytes.AsSpan().SequenceCompareTo(y.Bytes)));

    /// <summary>To be called when a candidate's count has risen.</summary>
    public void Add(MergeCandidate candidate) => _entries.Enqueue(candidate, (candidate.Count, candidate.Bytes));

    /// <summary>Takes the most frequent candidate; null when no neighbours are left.</summary>
    public MergeCandidate? Take()
    {
        while (_entries.TryDequeue(out var candidate, out var entry))
        {
            if (candidate.Rank != MergeCandidate.NoRank || candidate.Count == 0) continue;
            if (entry.Count == candidate.Count) return candidate;
            if (entry.Count > candidate.Count) Add(candidate);
        }
        return null;
    }
}
