using System.Runtime.InteropServices;
using static TorchSharp.torch;

namespace ActorLlama.Model;

/// <summary>Choice of experts (spec 2.10).</summary>
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

    private static int Best(ReadOnlySpan<float> logits, ReadOnlySpan<int> taken)
    {
        var best = -1;
        for (var expert = 0; expert < logits.Length; expert++)
            if (!taken.Contains(expert) && (best < 0 || logits[expert] > logits[best])) best = expert;
        return best;
    }
}
