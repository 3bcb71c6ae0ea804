using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace ActorLlama.Kernels;

/// <summary>Looks for a weight that is not a number.</summary>
public static unsafe class NaNSearch
{
    private const long UnitElements = 1 << 20;

    /// <summary>Index of the first NaN among <paramref name="count"/> elements, or -1.</summary>
    public static long First(nint elements, bool isBf16, long count) => FirstIn(elements, isBf16, 0, count);

    /// <summary>
    /// As <see cref="First(nint, bool, long)"/>, split over the team. <paramref name="searched"/> is told by its threads how many elements more were read; what
    /// it throws ends the search. Elements of a mapped file that cannot be read are an <see cref="IOException"/>.
    /// </summary>
    public static long First(nint elements, bool isBf16, long count, ThreadTeam team, Action<long>? searched = null)
    {
        var first = long.MaxValue;
        team.For(checked((int)((count + UnitElements - 1) / UnitElements)), (unit, _) =>
        {
            var start = unit * UnitElements;
            var end = Math.Min(count, start + UnitElements);
            var size = isBf16 ? sizeof(ushort) : sizeof(float);
            MappedPages.BringIn((nint)(elements + start * size), (end - start) * size);
            var found = FirstIn(elements, isBf16, start, end);
            searched?.Invoke(end - start);
            if (found < 0) return;
            for (var seen = Volatile.Read(ref first); found < seen; seen = Volatile.Read(ref first))
                if (Interlocked.CompareExchange(ref first, found, seen) == seen) break;
        });
        return first == long.MaxValue ? -1 : first;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static long FirstIn(nint elements, bool isBf16, long start, long end)
    {
        var i = start;
        if (isBf16)
        {
            for (; i + 32 <= end; i += 32)
            {
                PackedBf16.Load((byte*)elements + 2 * i, out var low, out var high);
                if (!Vector512.EqualsAll(low, low) || !Vector512.EqualsAll(high, high)) break;
            }
            for (; i < end; i++)
                if ((((ushort*)elements)[i] & 0x7fff) > 0x7f80) return i;
            return -1;
        }
        for (; i + 16 <= end; i += 16)
        {
            var v = Vector512.Load((float*)elements + i);
            if (!Vector512.EqualsAll(v, v)) break;
        }
        for (; i < end; i++)
            if (float.IsNaN(((float*)elements)[i])) return i;
        return -1;
    }
}
