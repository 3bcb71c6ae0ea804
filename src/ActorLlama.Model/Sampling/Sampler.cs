using System.Buffers;

namespace ActorLlama.Model;

/// <summary>Chooses tokens. A choice is a function of logits, settings, choice number and position: the same bits on every host.</summary>
public static class Sampler
{
    /// <summary>The id chosen from one row of logits.</summary>
    /// <param name="logits">One float32 for each id of the vocabulary, penalised already; negative infinity excludes an id.</param>
    /// <param name="settings">Valid settings; <see cref="InvalidDataException"/> otherwise.</param>
    /// <param name="choice">Which of several completions of one prompt this is.</param>
    /// <param name="position">Absolute position of the token that is chosen.</param>
    public static int Choose(ReadOnlySpan<float> logits, SamplingSettings settings, uint choice, long position)
    {
        settings.Check();
        var best = Greatest(logits);
        if (settings.Temperature == 0) return best;
        using var kept = new Nucleus(logits, logits[best], settings);
        return kept.Invert(Philox.Uniform(settings.Seed, choice, position));
    }

    /// <summary>The probability of each id under the settings; 0 for those that the rules exclude.</summary>
    public static float[] Probabilities(ReadOnlySpan<float> logits, SamplingSettings settings)
    {
        settings.Check();
        var probabilities = new float[logits.Length];
        var best = Greatest(logits);
        if (settings.Temperature == 0)
        {
            probabilities[best] = 1;
            return probabilities;
        }
        using var kept = new Nucleus(logits, logits[best], settings);
        kept.CopyTo(probabilities);
        return probabilities;
    }

    /// <summary>
    /// Hugging Face's repetition penalty (spec 8.3): the logit of each id in <paramref name="history"/> is divided by it when positive and
    /// multiplied when negative, once, however often the id occurs.
    /// </summary>
    public static void Penalize(Span<float> logits, ReadOnlySpan<int> history, double penalty)
    {
        if (penalty == 1) return;
        var factor = (float)penalty;
        var words = (logits.Length + 63) / 64;
        var done = ArrayPool<ulong>.Shared.Rent(words);
        done.AsSpan(0, words).Clear();
        foreach (var id in history)
        {
            var bit = 1ul << (id & 63);
            if ((done[id >> 6] & bit) != 0) continue;
            done[id >> 6] |= bit;
            logits[id] = logits[id] < 0 ? logits[id] * factor : logits[id] / factor;
        }
        ArrayPool<ulong>.Shared.Return(done);
    }

    /// <summary>The lowest id of the greatest logit.</summary>
    private static int Greatest(ReadOnlySpan<float> logits)
    {
        var best = Kernels.Greatest.IndexIn(logits);
        if (best >= 0 && float.IsFinite(logits[best])) return best;
        for (var id = 0; id < logits.Length; id++)
            if (float.IsNaN(logits[id]) || float.IsPositiveInfinity(logits[id]))
                throw new InvalidOperationException($"Sampling: the logit of id {id} is {logits[id]}; logits must be finite. Look for broken weights.");
        throw new InvalidOperationException($"Sampling: all {logits.Length} logits exclude their id; one must be finite.");
    }
}
