using System.Collections.Immutable;
using System.Runtime.InteropServices;
using ActorLlama.Model;
using ActorLlama.Protocol;

namespace ActorLlama.Runtime.Stages;

/// <summary>The last stage's end of a batch: logits only for the rows that need them, the sampled ids, the logits asked for.</summary>
internal static class BatchOutput
{
    /// <summary>Takes ownership of <paramref name="x"/> [rows, D]. The payload holds float32 rows in batch order, or is null.</summary>
    public static (ImmutableArray<int> Ids, Payload? Logits) Compute(
        TrunkStage stage, IBackend backend, int vocabulary, Activation x, ImmutableArray<StageProtocol.BatchRows> sequences)
    {
        using (x)
        {
            var rows = RowsWanted(sequences, out var sampledAt, out var returned);
            if (rows.Length == 0) return ([], null);
            using var logits = stage.Logits(x, rows);
            var payload = returned.Count == 0 ? null : BytesPayload.Rent(returned.Count * vocabulary * sizeof(float));
            for (var i = 0; i < returned.Count; i++)
                backend.CopyRow(logits, returned[i], MemoryMarshal.Cast<byte, float>(payload!.Memory.Span).Slice(i * vocabulary, vocabulary));
            var values = new float[sampledAt.Count == 0 ? 0 : vocabulary];
            var ids = ImmutableArray.CreateBuilder<int>(sampledAt.Count);
            foreach (var (row, sequence) in sampledAt)
            {
                backend.CopyRow(logits, row, values);
                ids.Add(Sampler.Choose(values, Settings(sequence.Sampling!), 0, sequence.Start + sequence.Count));
            }

            return (ids.MoveToImmutable(), payload);
        }
    }

    private static int[] RowsWanted(
        ImmutableArray<StageProtocol.BatchRows> sequences, out List<(int Row, StageProtocol.BatchRows Sequence)> sampledAt, out List<int> returned)
    {
        var rows = new List<int>();
        sampledAt = [];
        returned = [];
        var first = 0;
        foreach (var s in sequences)
        {
            var wanted = Math.Max(s.Logits, s.Sampling is null ? 0 : 1);
            for (var i = s.Count - wanted; i < s.Count; i++)
            {
                if (i >= s.Count - s.Logits) returned.Add(rows.Count);
                if (s.Sampling is not null && i == s.Count - 1) sampledAt.Add((rows.Count, s));
                rows.Add(first + i);
            }

            first += s.Count;
        }

        return [.. rows];
    }

    private static SamplingSettings Settings(SamplingOptions options) =>
        new(options.Temperature, options.TopP, options.TopK, options.Seed);
}
