namespace ActorLlama.Training.Data;

/// <summary>
/// <c>packing=false</c>: a row holds one document, or <c>length</c> predicted ids of it where it is longer. Every row begins with <c>&lt;|begin_of_text|&gt;</c>.
/// </summary>
internal sealed class SingleExamples : IExamples
{
    private readonly TokenizedText _text;
    private readonly int _length;
    private readonly long[] _rowsBefore;

    public SingleExamples(TokenizedText text, int length)
    {
        (_text, _length) = (text, length);
        _rowsBefore = new long[text.Starts.Count];
        foreach (var document in Enumerable.Range(0, text.Starts.Count))
        {
            _rowsBefore[document] = Count;
            Count += (text.EndOf(document) - text.Starts[document] - 1 + length - 1) / length;
        }
    }

    public long Count { get; }

    public void Fill(long index, long epoch, RowBuilder row)
    {
        var found = Array.BinarySearch(_rowsBefore, index);
        var document = found < 0 ? ~found - 1 : found;
        // Documents without a predicted id have no rows: of those that begin at the same row it is the last.
        while (document + 1 < _rowsBefore.Length && _rowsBefore[document + 1] == index) document++;
        var first = _text.Starts[document] + 1 + (index - _rowsBefore[document]) * _length;
        var end = Math.Min(_text.EndOf(document), first + _length);
        for (var target = first; target < end; target++)
            row.Add(target == first ? _text.Ids[_text.Starts[document]] : _text.Ids[target - 1], _text.Ids[target], beginsSegment: target == first);
    }
}
