using System.Buffers.Binary;
using System.Collections.Immutable;
using ActorLlama.Protocol;

namespace ActorLlama.Client;

/// <summary>Collects the parts of logits rows, in any order and any number of times.</summary>
internal sealed class LogitsLedger
{
    private readonly SortedDictionary<int, Row> _rows = [];

    /// <summary>Throws <see cref="InvalidDataException"/> for a part that does not fit its row.</summary>
    public void Add(SessionProtocol.LogitsPart part)
    {
        var count = part.Bytes.Length / sizeof(float);
        if (part.Bytes.Length % sizeof(float) != 0 || part.FirstValue < 0 || count > part.Values - part.FirstValue)
            throw new InvalidDataException(
                $"Session: a part of the logits of position {part.Position} holds {part.Bytes.Length} bytes from value {part.FirstValue}; "
                + $"the row has {part.Values} values.");
        if (!_rows.TryGetValue(part.Position, out var row)) _rows[part.Position] = row = new Row(part.Values);
        if (row.Values.Length != part.Values)
            throw new InvalidDataException(
                $"Session: the logits of position {part.Position} have {row.Values.Length} values in one part and {part.Values} in another.");
        var bytes = part.Bytes.Span;
        for (var i = 0; i < count; i++)
            row.Values[part.FirstValue + i] = BinaryPrimitives.ReadSingleLittleEndian(bytes[(i * sizeof(float))..]);
        row.Parts[part.FirstValue] = Math.Max(count, row.Parts.GetValueOrDefault(part.FirstValue));
    }

    /// <summary>The first position whose row was asked for and is not complete, or null, when so many tokens follow on the prompt.</summary>
    public int? FirstMissing(LogitsWanted wanted, ImmutableArray<int> prompt, int tokens)
    {
        if (wanted == LogitsWanted.None || prompt.IsEmpty) return null;
        for (var position = wanted == LogitsWanted.All ? 0 : prompt.Length - 1; position < prompt.Length - 1 + tokens; position++)
            if (!_rows.TryGetValue(position, out var row) || !row.IsComplete) return position;
        return null;
    }

    public ImmutableSortedDictionary<int, float[]> Rows() =>
        _rows.Where(r => r.Value.IsComplete).ToImmutableSortedDictionary(r => r.Key, r => r.Value.Values);

    private sealed class Row(int values)
    {
        public float[] Values { get; } = new float[values];

        /// <summary>First value of each part that came, and how many it held.</summary>
        public SortedDictionary<int, int> Parts { get; } = [];

        public bool IsComplete
        {
            get
            {
                var reached = 0;
                foreach (var (first, count) in Parts)
                {
                    if (first > reached) return false;
                    reached = Math.Max(reached, first + count);
                }

                return reached == Values.Length;
            }
        }
    }
}
