using System.Collections.Immutable;
using ActorLlama.Kernels;

namespace ActorLlama.Model;

/// <summary>
/// How likely the model found a token and its rivals: natural logarithms of the softmax of the raw logits, before penalty, temperature and
/// nucleus (as Meta's, spec 8.2).
/// </summary>
/// <param name="LogProb">Of the chosen token.</param>
/// <param name="TopIds">The likeliest ids, by (logit descending, id ascending).</param>
/// <param name="TopLogProbs">Theirs.</param>
public sealed record TokenLikelihood(float LogProb, ImmutableArray<int> TopIds, ImmutableArray<float> TopLogProbs)
{
    /// <summary>Most rivals that can be asked for.</summary>
    public const int MaxTop = 20;

    /// <param name="logits">One float32 for each id; negative infinity excludes an id.</param>
    /// <param name="chosen">The id that was chosen.</param>
    /// <param name="top">How many of the likeliest to tell; at most <see cref="MaxTop"/>, fewer when the vocabulary is smaller.</param>
    public static TokenLikelihood Of(ReadOnlySpan<float> logits, int chosen, int top)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(top);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(top, MaxTop);
        Span<int> best = stackalloc int[Math.Min(Math.Max(top, 1), logits.Length)];
        Likeliest(logits, best);
        var max = logits[best[0]];
        var logMass = max + Math.Log(Mass(logits, max));
        var ids = best[..Math.Min(top, best.Length)];
        var values = ImmutableArray.CreateBuilder<float>(ids.Length);
        foreach (var id in ids) values.Add((float)(logits[id] - logMass));
        return new((float)(logits[chosen] - logMass), [.. ids], values.MoveToImmutable());
    }

    /// <summary>The sum of e^(logit - max), in the order of ids.</summary>
    private static double Mass(ReadOnlySpan<float> logits, float max)
    {
        Span<float> part = stackalloc float[256];
        double sum = 0;
        for (var from = 0; from < logits.Length; from += part.Length)
        {
            var count = Math.Min(part.Length, logits.Length - from);
            for (var i = 0; i < count; i++) part[i] = logits[from + i] - max;
            Exponential.Of(part[..count], part);
            for (var i = 0; i < count; i++) sum += part[i];
        }
        return sum;
    }

    /// <summary>Fills with the ids of the greatest logits, the lowest id first where they are equal: one pass with a short sorted list.</summary>
    private static void Likeliest(ReadOnlySpan<float> logits, Span<int> best)
    {
        var found = 0;
        for (var id = 0; id < logits.Length; id++)
        {
            if (found == best.Length && !(logits[id] > logits[best[^1]])) continue;
            var place = found == best.Length ? found - 1 : found++;
            for (; place > 0 && logits[id] > logits[best[place - 1]]; place--) best[place] = best[place - 1];
            best[place] = id;
        }
    }
}
