namespace ActorLlama.Training.Data;

/// <summary>Token ids, two bytes each where the vocabulary allows it, otherwise four; as many as memory holds.</summary>
public sealed class TokenList
{
    private const int BlockBits = 20;
    private const int BlockLength = 1 << BlockBits;

    private readonly List<ushort[]> _narrow = [];
    private readonly List<int[]> _wide = [];
    private readonly bool _isNarrow;

    /// <param name="vocabulary">Ids are below it.</param>
    public TokenList(int vocabulary) => _isNarrow = vocabulary <= ushort.MaxValue + 1;

    public long Count { get; private set; }

    /// <summary>Bytes of memory that the ids take.</summary>
    public long Bytes => (_narrow.Count * sizeof(ushort) + _wide.Count * sizeof(int)) * (long)BlockLength;

    /// <param name="index">Below <see cref="Count"/>.</param>
    public int this[long index]
    {
        get
        {
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((ulong)index, (ulong)Count);
            var (block, at) = ((int)(index >> BlockBits), (int)(index & (BlockLength - 1)));
            return _isNarrow ? _narrow[block][at] : _wide[block][at];
        }
    }

    public void Add(params ReadOnlySpan<int> ids)
    {
        foreach (var id in ids)
        {
            var at = (int)(Count & (BlockLength - 1));
            if (at == 0 && _isNarrow) _narrow.Add(new ushort[BlockLength]);
            else if (at == 0) _wide.Add(new int[BlockLength]);
            if (_isNarrow) _narrow[^1][at] = checked((ushort)id);
            else _wide[^1][at] = id;
            Count++;
        }
    }
}
