using ActorLlama.Model;

namespace ActorLlama.Training.Data;

/// <summary>
/// <c>packing=true</c>: documents one behind the other, cut every <c>length</c> ids. Each document in a row is a segment of its own. From epoch to epoch the
/// whole is turned by another amount, so that rows begin elsewhere.
/// </summary>
internal sealed class PackedExamples(TokenizedText text, int length, int? seed) : IExamples
{
    public long Count { get; } = (text.Ids.Count + length - 1) / length;

    public void Fill(long index, long epoch, RowBuilder row)
    {
        var total = text.Ids.Count;
        var turn = seed is { } key ? (long)(Philox.Uniform((ulong)key, 1, epoch) * total) : 0;
        var at = (index * length + turn) % total;
        var document = text.DocumentOf(at);
        for (var i = index * length; i < Math.Min(total, (index + 1) * length); i++)
        {
            var begins = at == text.Starts[document];
            var ends = at + 1 == text.EndOf(document);
            row.Add(text.Ids[at], ends ? null : text.Ids[at + 1], begins);
            at = (at + 1) % total;
            if (ends) document = at == 0 ? 0 : document + 1;
        }
    }
}
