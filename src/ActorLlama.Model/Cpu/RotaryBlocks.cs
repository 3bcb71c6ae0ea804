namespace ActorLlama.Model;

/// <summary>The rotary table's values for the positions in use, kept in blocks of 64 positions for all layers and steps.</summary>
internal sealed class RotaryBlocks(RotaryAngles table)
{
    private const int BlockPositions = 64, MostBlocks = 4096;
    private readonly int _pairs = table.Frequencies.Length;
    private readonly Dictionary<int, float[]> _blocks = [];

    /// <summary>Makes the blocks of these positions. Until the next call, <see cref="At"/> may be asked for them from any thread.</summary>
    public void Prepare(ReadOnlySpan<int> positions)
    {
        if (_blocks.Count > MostBlocks) _blocks.Clear();
        foreach (var position in positions)
            if (!_blocks.ContainsKey(position / BlockPositions)) _blocks[position / BlockPositions] = Make(position / BlockPositions);
    }

    /// <summary>Cosines of all pairs, then sines, of a position that was prepared.</summary>
    public ReadOnlySpan<float> At(int position) => _blocks[position / BlockPositions].AsSpan(position % BlockPositions * 2 * _pairs, 2 * _pairs);

    private float[] Make(int block)
    {
        var values = new float[BlockPositions * 2 * _pairs];
        for (var i = 0; i < BlockPositions; i++)
        {
            var turn = values.AsSpan(i * 2 * _pairs, 2 * _pairs);
            table.Fill(block * BlockPositions + i, turn[.._pairs], turn[_pairs..]);
        }
        return values;
    }
}
