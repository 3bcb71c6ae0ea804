using System.Collections.Immutable;
using System.Runtime.InteropServices;
using ActorLlama.Model;
using ActorLlama.Protocol;
using ActorLlama.Runtime.Nodes;

namespace ActorLlama.Runtime.Stages;

/// <summary>The last stage's end of a batch: logits only for the rows that need them, the sampled ids, what was asked for of both.</summary>
/// <param name="Ids">One for each sequence that samples, in batch order.</param>
/// <param name="LogProbs">One for each sequence that asked for them, in batch order; null when none did.</param>
/// <param name="Logits">Float32 rows [n, V] in batch order, or null; its owner is whoever sends it.</param>
internal readonly record struct BatchOutput(ImmutableArray<int> Ids, ImmutableArray<TokenLogProbs>? LogProbs, Payload? Logits)
{
    /// <summary>Takes ownership of <paramref name="x"/> [rows, D]. The history that a repetition penalty needs is what the caches hold.</summary>
    public static BatchOutput Compute(
        TrunkStage stage, IBackend backend, int vocabulary, Activation x, ImmutableArray<StageProtocol.BatchRows> sequences, SequenceCaches caches)
    {
        using (x)
        {
            var rows = RowsWanted(sequences, out var sampledAt, out var returned);
            if (rows.Length == 0) return new([], null, null);
            using var logits = stage.Logits(x, rows);
            var payload = returned.Count == 0 ? null : BytesPayload.Rent(returned.Count * vocabulary * sizeof(float));
            for (var i = 0; i < returned.Count; i++)
                backend.CopyRow(logits, returned[i], MemoryMarshal.Cast<byte, float>(payload!.Memory.Span).Slice(i * vocabulary, vocabulary));
            var values = new float[sampledAt.Count == 0 ? 0 : vocabulary];
            var ids = ImmutableArray.CreateBuilder<int>(sampledAt.Count);
            var logProbs = ImmutableArray.CreateBuilder<TokenLogProbs>();
            foreach (var (row, sequence) in sampledAt)
            {
                backend.CopyRow(logits, row, values);
                ids.Add(Choose(values, sequence, caches));
                if (sequence.LogProbs is not { } top) continue;
                if (sequence.Sampling!.RepetitionPenalty != 1) backend.CopyRow(logits, row, values);
                logProbs.Add(LogProbsOf(values, ids[^1], top));
            }

            return new(ids.MoveToImmutable(), logProbs.Count == 0 ? null : logProbs.DrainToImmutable(), payload);
        }
    }

    private static int Choose(Span<float> logits, StageProtocol.BatchRows sequence, SequenceCaches caches)
    {
        var settings = ModelSampling.Of(sequence.Sampling!);
        var position = sequence.Start + sequence.Count;
        if (settings.RepetitionPenalty != 1) Sampler.Penalize(logits, caches.Ids(sequence.Sequence, position), settings.RepetitionPenalty);
        return Sampler.Choose(logits, settings, (uint)sequence.Choice, position);
    }

    private static TokenLogProbs LogProbsOf(ReadOnlySpan<float> logits, int id, int top)
    {
        var likelihood = TokenLikelihood.Of(logits, id, top);
        return new(likelihood.LogProb, likelihood.TopIds, likelihood.TopLogProbs);
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
}
