using System.Text;

namespace ActorLlama.Text;

/// <summary>
/// Learns the entries of a vocabulary from counted pieces by byte-pair encoding: again and again the byte string that two neighbours make most often
/// becomes a token. Candidates are counted by what they become and not by what they are made of, because that is how encoding by rank merges: after every
/// token each piece is split exactly as <see cref="LlamaTokenizer"/> would split it with the tokens there are.
/// </summary>
internal sealed class MergeLearner
{
    private readonly List<byte[]> _tokens = [.. Enumerable.Range(0, 256).Select(value => new[] { (byte)value })];
    private readonly List<int[]> _words = [];
    private readonly List<long> _weights = [];
    private readonly Dictionary<(int Left, int Right), MergeCandidate> _ofPair = [];
    private readonly Dictionary<ReadOnlyMemory<byte>, MergeCandidate> _ofBytes = new(ByteContent.Instance);
    private readonly MergeQueue _queue = new();
    private readonly HashSet<MergeCandidate> _risen = [];

    public MergeLearner(IEnumerable<(string Piece, long Count)> pieces)
    {
        foreach (var (piece, count) in pieces)
        {
            _words.Add([.. Encoding.UTF8.GetBytes(piece).Select(value => (int)value)]);
            _weights.Add(count);
            CountPairs(_words.Count - 1, 1);
        }
        QueueRisen();
    }

    /// <summary>Bytes of the tokens, by rank; the first 256 are the single bytes in order.</summary>
    public IReadOnlyList<byte[]> Tokens => _tokens;

    /// <summary>The pieces as they are split now, in the order they were given.</summary>
    public IReadOnlyList<int[]> Words => _words;

    /// <summary>Adds one token; false when every piece is a single token already.</summary>
    public bool Step()
    {
        if (_queue.Take() is not { } next) return false;
        next.Rank = _tokens.Count;
        _tokens.Add(next.Bytes);
        foreach (var word in next.Words.Distinct())
        {
            CountPairs(word, -1);
            _words[word] = Merged(_words[word]);
            CountPairs(word, 1);
        }
        next.Words.Clear();
        QueueRisen();
        return true;
    }

    private void CountPairs(int index, int sign)
    {
        var word = _words[index];
        for (var at = 0; at + 1 < word.Length; at++)
        {
            var candidate = Of(word[at], word[at + 1]);
            candidate.Count += sign * _weights[index];
            if (sign < 0) continue;
            _risen.Add(candidate);
            if (candidate.Words.Count == 0 || candidate.Words[^1] != index) candidate.Words.Add(index);
        }
    }

    private void QueueRisen()
    {
        foreach (var candidate in _risen) _queue.Add(candidate);
        _risen.Clear();
    }

    /// <summary>Merges neighbours until none make a token: the earliest token first, of equals the leftmost.</summary>
    private int[] Merged(int[] word)
    {
        var tokens = word.ToArray();
        var length = tokens.Length;
        while (true)
        {
            var rank = MergeCandidate.NoRank;
            for (var at = 0; at + 1 < length; at++) rank = Math.Min(rank, RankOf(tokens[at], tokens[at + 1]));
            if (rank == MergeCandidate.NoRank) return tokens[..length];
            length = MergeAll(tokens, length, rank);
        }
    }

    /// <summary>One pass over a word; it ends early where a merge makes neighbours of an earlier token, which then come first.</summary>
    private int MergeAll(int[] tokens, int length, int rank)
    {
        var to = 0;
        var goesOn = true;
        for (var from = 0; from < length;)
        {
            if (!goesOn || from + 1 == length || RankOf(tokens[from], tokens[from + 1]) != rank)
            {
                tokens[to++] = tokens[from++];
                continue;
            }
            from += 2;
            tokens[to++] = rank;
            goesOn = (to < 2 || RankOf(tokens[to - 2], rank) > rank) && (from == length || RankOf(rank, tokens[from]) > rank);
        }
        return to;
    }

    private int RankOf(int left, int right) => Of(left, right).Rank;

    private MergeCandidate Of(int left, int right)
    {
        if (_ofPair.TryGetValue((left, right), out var known)) return known;
        byte[] bytes = [.. _tokens[left], .. _tokens[right]];
        if (!_ofBytes.TryGetValue(bytes, out known)) _ofBytes.Add(bytes, known = new MergeCandidate(bytes));
        _ofPair.Add((left, right), known);
        return known;
    }
}
