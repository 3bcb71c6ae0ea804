using System.Runtime.InteropServices;
using static TorchSharp.torch;

namespace ActorLlama.Model;

/// <summary>Choice of experts, and the experts' FFN over rows grouped by expert (spec 2.10).</summary>
internal static class TorchRouting
{
    /// <summary>The k largest logits' experts of each row, lowest id first on equal logits, ascending within a row: T·k ids.</summary>
    public static int[] Choose(Tensor z_TE, int k)
    {
        int rows = (int)z_TE.shape[0], experts = (int)z_TE.shape[1];
        var logits = new float[rows * experts];
        using (var wide = z_TE.to(ScalarType.Float32)) TorchMemory.Write(wide, MemoryMarshal.AsBytes(logits.AsSpan()));
        var chosen = new int[rows * k];
        for (var row = 0; row < rows; row++)
        {
            var of = logits.AsSpan(row * experts, experts);
            var ids = chosen.AsSpan(row * k, k);
            for (var rank = 0; rank < k; rank++) ids[rank] = Best(of, ids[..rank]);
            ids.Sort();
        }
        return chosen;
    }

    /// <summary>Row i through expert experts[i] (absolute) of the group that starts at first.</summary>
    public static Tensor RunGroups(Tensor rows_AD, ReadOnlySpan<int> experts, Tensor gateUp_ED2F, Tensor down_EFD, int first)
    {
        var count = experts.Length;
        var order = new int[count];
        for (var i = 0; i < count; i++) order[i] = i;
        var keys = experts.ToArray();
        // Stable by (expert, row), and its inverse.
        Array.Sort(order, (a, b) => keys[a] != keys[b] ? keys[a].CompareTo(keys[b]) : a.CompareTo(b));
        var back = new int[count];
        for (var i = 0; i < count; i++) back[order[i]] = i;

        var grouped_AD = rows_AD.index_select(0, TorchMemory.Indices(order, rows_AD.device));
        var hidden = down_EFD.shape[1];
        var parts = new List<Tensor>();
        for (var at = 0; at < count;)
        {
            var end = at + 1;
            while (end < count && keys[order[end]] == keys[order[at]]) end++;
            var index = keys[order[at]] - first;
            var gateUp_n2F = TorchMath.Product(grouped_AD.narrow(0, at, end - at), gateUp_ED2F.select(0, index));
            var h_nF = TorchMath.Gated(gateUp_n2F.narrow(1, 0, hidden), gateUp_n2F.narrow(1, hidden, hidden));
            parts.Add(TorchMath.Product(h_nF, down_EFD.select(0, index)));
            at = end;
        }
        return parts.Count == 0 ? rows_AD.alias() : cat(parts).index_select(0, TorchMemory.Indices(back, rows_AD.device));
    }

    private static int Best(ReadOnlySpan<float> logits, ReadOnlySpan<int> taken)
    {
        var best = -1;
        for (var expert = 0; expert < logits.Length; expert++)
            if (!taken.Contains(expert) && (best < 0 || logits[expert] > logits[best])) best = expert;
        return best;
    }
}
