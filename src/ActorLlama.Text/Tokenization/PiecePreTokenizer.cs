using Microsoft.ML.Tokenizers;

namespace ActorLlama.Text;

/// <summary>Hands <see cref="PieceScanner"/>'s pieces to the BPE.</summary>
internal sealed class PiecePreTokenizer : PreTokenizer
{
    public override IEnumerable<(int Offset, int Length)> PreTokenize(string text) => PreTokenize(text.AsSpan());

    public override IEnumerable<(int Offset, int Length)> PreTokenize(ReadOnlySpan<char> text)
    {
        var pieces = new List<(int, int)>(text.Length / 4 + 1);
        for (var start = 0; start < text.Length;)
        {
            var end = PieceScanner.PieceEnd(text, start);
            pieces.Add((start, end - start));
            start = end;
        }
        return pieces;
    }
}
