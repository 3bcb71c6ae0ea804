using ActorLlama.Planning.Kv;
using ActorLlama.Protocol;

namespace ActorLlama.Planning.Batching;

/// <summary>One session's sequence in its scheduler. Mutable: owned by one <see cref="SchedulerState"/>.</summary>
internal sealed class ScheduledSequence
{
    private readonly int _maxPositions;
    private readonly List<TokenLogProbs> _logProbs = [];

    public ScheduledSequence(Rank rank, SchedulerProtocol.Submit submit, string replyKey, SchedulerOptions options, long now)
    {
        (Rank, Submit, ReplyKey, RenewedMs, _maxPositions) = (rank, submit, replyKey, now, options.MaxPositions);
        Tokens = [.. submit.Tokens];
        Chain = new(Tokens);
        IsSuspect = submit.IsSuspect;
    }

    /// <summary>Kept by the session's later attempts.</summary>
    public Rank Rank { get; }

    public SchedulerProtocol.Submit Submit { get; }

    public string ReplyKey { get; set; }

    public long RenewedMs { get; set; }

    public SequencePhase Phase { get; set; } = SequencePhase.Waiting;

    public List<int> Tokens { get; }

    public PrefixChain Chain { get; }

    /// <summary>Its KV, from its first rows on until it is taken from it; then it begins anew from its tokens.</summary>
    public SequenceKv? Kv { get; set; }

    /// <summary>Blocks that it was let in for and has not begun to take.</summary>
    public KvCount Promised { get; set; }

    /// <summary>How often the stages had lost its KV.</summary>
    public int Losses { get; set; }

    /// <summary>What ran it died; it runs alone until its next token.</summary>
    public bool IsSuspect { get; set; }

    /// <summary>Number of the last batch it was in; 0 before the first.</summary>
    public long LastBatch { get; set; }

    /// <summary>Positions [0, Computed) have run.</summary>
    public int Computed => Kv?.Computed ?? 0;

    public int Pending => Tokens.Count - Computed;

    /// <summary>One row a token from here on.</summary>
    public bool IsDecoding => Pending == 1;

    /// <summary>Positions that may be taken over from others: the rows whose logits are wanted must run.</summary>
    public int MostShared => Submit.Logits switch
    {
        LogitsWanted.All => 0,
        LogitsWanted.Generated => Math.Min(Submit.PromptLength - 1, Tokens.Count - 1),
        _ => Tokens.Count - 1,
    };

    /// <summary>The next <paramref name="count"/> rows, sampling if they reach the last known token.</summary>
    public StageProtocol.BatchRows Rows(int count)
    {
        var end = Computed + count;
        var logits = Submit.Logits switch
        {
            LogitsWanted.All => count,
            LogitsWanted.Generated => Math.Clamp(end - (Submit.PromptLength - 1), 0, count),
            _ => 0,
        };
        return end == Tokens.Count
            ? new(Kv!.Id, Computed, count, Submit.Sampling, logits, Submit.Choice, Submit.LogProbs, Kv.Prefix?.Id)
            : new(Kv!.Id, Computed, count, null, logits, PrefixOf: Kv.Prefix?.Id);
    }

    /// <summary>How likely the token at a position was; null for tokens that were submitted, and when nobody asked.</summary>
    public TokenLogProbs? LogProbsAt(int position) => _logProbs.ElementAtOrDefault(position - Submit.Tokens.Length);

    /// <summary>Takes the id sampled for the next position; true when it is the last one.</summary>
    public bool Append(int id, TokenLogProbs? logProbs)
    {
        IsSuspect = false;
        Tokens.Add(id);
        if (logProbs is not null)
            _logProbs.Add(logProbs);
        return Submit.StopIds.Contains(id)
            || Tokens.Count - Submit.PromptLength >= Submit.MaxTokens
            || Tokens.Count >= _maxPositions;
    }
}

internal enum SequencePhase
{
    /// <summary>Not let in yet, or its KV was taken; holds none.</summary>
    Waiting,

    /// <summary>Has rows for the next batch.</summary>
    Ready,
    InFlight,

    /// <summary>In flight; waits again afterwards, for its KV is needed by one that comes before it.</summary>
    Yielding,

    /// <summary>In flight, but nobody wants it: gone when its batch is over.</summary>
    Leaving,
}
