using ActorLlama.Protocol;

namespace ActorLlama.Planning.Kv;

/// <summary>
/// The KV of one incarnation of a sequence, from its first rows until its stages are told to drop it. Changed by <see cref="KvBook"/> alone.
/// </summary>
internal sealed class SequenceKv(SequenceId id, List<int> tokens, PrefixChain chain, KvTable table, SequenceKv? prefix, int shared)
{
    public SequenceId Id { get; } = id;

    /// <summary>The sequence's own list: it grows while the sequence runs.</summary>
    public List<int> Tokens { get; } = tokens;

    public PrefixChain Chain { get; } = chain;

    public KvTable Table { get; } = table;

    /// <summary>Whose first positions it began with; null when it began with none, or once its first batch is over.</summary>
    public SequenceKv? Prefix { get; set; } = prefix;

    /// <summary>Positions [0, Computed) are known to be written in every stage.</summary>
    public int Computed { get; set; } = shared;

    /// <summary>It was there when the stages were last known to hold what they should.</summary>
    public bool IsShareable { get; set; } = true;

    /// <summary>Blocks of it that the index knows.</summary>
    public int Indexed { get; set; }

    /// <summary>Sequences that begin with its first positions and whose first batch is not over: until then the stages must hold it.</summary>
    public int Pins { get; set; }

    /// <summary>It is to be dropped as soon as nothing pins it.</summary>
    public bool IsDoomed { get; set; }
}
