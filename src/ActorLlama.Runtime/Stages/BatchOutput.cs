using System.Buffers;
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
            var chosen = new (int Id, TokenLogProbs? LogProbs)[sampledAt.Count];
            backend.ForEachRow(logits, sampledAt.Select(s => s.Row).ToArray(), (i, values) => chosen[i] = Choose(values, sampledAt[i].Sequence, caches));
            ImmutableArray<TokenLogProbs> logProbs = [.. chosen.Select(c => c.LogProbs).OfType<TokenLogProbs>()];
            return new([.. chosen.Select(c => c.Id)], logProbs.IsEmpty ? null : logProbs, payload);
        }
    }

    private static (int Id, TokenLogProbs? LogProbs) Choose(ReadOnlySpan<float> logits, StageProtocol.BatchRows sequence, SequenceCaches caches)
    {
        var settings = ModelSampling.Of(sequence.Sampling!);
        var position = sequence.Start + sequence.Count;
        var id = settings.RepetitionPenalty == 1
            ? Sampler.Choose(logits, settings, (uint)sequence.Choice, position)
            : ChoosePenalised(logits, settings, caches.Ids(sequence.Sequence, position), (uint)sequence.Choice);
        return (id, sequence.LogProbs is { } top ? LogProbsOf(logits, id, top) : null);
    }

    private static int ChoosePenalised(ReadOnlySpan<float> logits, SamplingSettings settings, ReadOnlySpan<int> history, uint choice)
    {
        var rented = ArrayPool<float>.Shared.Rent(logits.Length);
        var penalised = rented.AsSpan(0, logits.Length);
        logits.CopyTo(penalised);
        Sampler.Penalize(penalised, history, settings.RepetitionPenalty);
        var id = Sampler.Choose(penalised, settings, choice, history.Length);
        ArrayPool<float>.Shared.Return(rented);
        return id;
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
