namespace ActorLlama.Text;

/// <summary>What two neighbours would become: a byte string, however it is made of two tokens.</summary>
internal sealed class MergeCandidate(byte[] bytes)
{
    public const int NoRank = int.MaxValue;

    public byte[] Bytes { get; } = bytes;

    /// <summary>Its rank once it is a token.</summary>
    public int Rank { get; set; } = NoRank;

    /// <summary>How often neighbours would become it.</summary>
    public long Count { get; set; }

    /// <summary>Words in which it occurred at some time; some may come twice, or have lost it since.</summary>
    public List<int> Words { get; } = [];
}
