using System.Collections.Immutable;
using ActorLlama.Protocol;

namespace ActorLlama.Planning.Training;

/// <summary>The pieces of a trunk parameter: piece p of P of n elements is [p·n/P, (p+1)·n/P), flat.</summary>
public static class TrunkPieces
{
    /// <summary>First element of a piece; that of piece P is n.</summary>
    public static long StartOf(int piece, int pieces, long elements) => (long)((Int128)elements * piece / pieces);

    public static long ElementsOf(int piece, int pieces, long elements) => StartOf(piece + 1, pieces, elements) - StartOf(piece, pieces, elements);

    /// <summary>What a device owns of a parameter of that many elements (<see cref="RangesOf(IEnumerable{int}, int, long)"/>).</summary>
    public static ImmutableArray<(long Start, long End)> RangesOf(TrainingPlan plan, DeviceId device, long elements) =>
        RangesOf(plan.PiecesOf(device), plan.Pieces.Length, elements);

    /// <summary>Some pieces, ascending, of a parameter of that many elements: ranges [Start, End), ascending, that do not touch. Small parameters have empty pieces.</summary>
    public static ImmutableArray<(long Start, long End)> RangesOf(IEnumerable<int> owned, int pieces, long elements)
    {
        var ranges = ImmutableArray.CreateBuilder<(long Start, long End)>();
        foreach (var piece in owned)
        {
            var (start, end) = (StartOf(piece, pieces, elements), StartOf(piece + 1, pieces, elements));
            if (start == end) continue;
            if (ranges.Count > 0 && ranges[^1].End == start) ranges[^1] = (ranges[^1].Start, end);
            else ranges.Add((start, end));
        }

        return ranges.ToImmutable();
    }
}
