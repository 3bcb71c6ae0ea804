using System.Collections.Immutable;

namespace ActorLlama.Model;

/// <summary>Rows in a stable sort by expert: which go where, and the groups that are not empty.</summary>
/// <param name="Order">Original index of each sorted row.</param>
/// <param name="Back">Sorted index of each original row.</param>
/// <param name="Groups">Experts with rows, ascending: index within the group of experts, and sorted rows [Start, Start + Count).</param>
internal sealed record ExpertRows(int[] Order, int[] Back, ImmutableArray<(int Expert, int Start, int Count)> Groups)
{
    /// <summary>Sorts rows by expert; <paramref name="first"/> is the absolute index of the first expert that is held.</summary>
    public static ExpertRows Of(ReadOnlySpan<int> experts, int first)
    {
        var count = experts.Length;
        var (order, back, keys) = (new int[count], new int[count], experts.ToArray());
        for (var i = 0; i < count; i++) order[i] = i;
        Array.Sort(order, (a, b) => keys[a] != keys[b] ? keys[a].CompareTo(keys[b]) : a.CompareTo(b));
        for (var i = 0; i < count; i++) back[order[i]] = i;
        var groups = ImmutableArray.CreateBuilder<(int, int, int)>();
        for (var at = 0; at < count;)
        {
            var end = at + 1;
            while (end < count && keys[order[end]] == keys[order[at]]) end++;
            groups.Add((keys[order[at]] - first, at, end - at));
            at = end;
        }
        return new(order, back, groups.ToImmutable());
    }
}
