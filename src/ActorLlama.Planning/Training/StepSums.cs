using System.Collections.Immutable;
using ActorLlama.Protocol;

namespace ActorLlama.Planning.Training;

/// <summary>
/// What a step comes to: sums over slots in slot order and over chunks in chunk order, so the same bits on any topology. <paramref name="RawNorm"/>: of the gradient before
/// clipping. <paramref name="Factor"/>: what the summed gradients are multiplied by; null: the step is skipped, because <paramref name="NotFinite"/> was not finite.
/// </summary>
public sealed record StepSums(
    long Step, double CrossEntropy, double ZLoss, double LoadBalance, long Tokens, double RawNorm, double? Factor, string? NotFinite)
{
    /// <summary>Norm of all weights after the step; null: not every owner has told.</summary>
    public double? ParamNorm { get; init; }

    /// <summary>Rows by MoE layer and expert.</summary>
    public ImmutableArray<long> ExpertRows { get; init; } = [];

    /// <summary>Time of all devices, by <see cref="StepPhase"/>.</summary>
    public ImmutableArray<long> Micros { get; init; } = [];

    /// <summary>Mean over tokens, with z-loss, without load balance; 0 when no token counts.</summary>
    public double LmLoss => Tokens == 0 ? 0 : (CrossEntropy + ZLoss) / Tokens;

    public double Loss => LmLoss + LoadBalance;

    /// <summary>The gradient's norm after clipping.</summary>
    public double ClippedNorm => Factor is { } factor ? RawNorm * Math.Max(1, Tokens) * factor : RawNorm;

    /// <summary>
    /// Sums the reports of all owners. Gradients are sums over tokens, so the factor divides by the tokens; and clips to <paramref name="clipNorm"/>, null for no clipping.
    /// Throws <see cref="InvalidDataException"/> when the reports do not hold every slot and every chunk once.
    /// </summary>
    public static StepSums Of(long step, IEnumerable<TrainingProtocol.Report> reports, int slots, int chunks, double? clipNorm)
    {
        var all = reports.ToList();
        var losses = all.SelectMany(report => report.Losses).OrderBy(loss => loss.Slot).ToImmutableArray();
        var norms = all.SelectMany(report => report.Norms).OrderBy(norm => norm.Chunk).ToImmutableArray();
        CheckWhole(step, "slots", losses.Select(loss => loss.Slot), slots);
        CheckWhole(step, "chunks", norms.Select(norm => norm.Chunk), chunks);
        var (cross, z, balance, tokens, squares) = (0.0, 0.0, 0.0, 0L, 0.0);
        foreach (var loss in losses)
            (cross, z, balance, tokens) = (cross + loss.CrossEntropy, z + loss.ZLoss, balance + loss.LoadBalance, tokens + loss.Tokens);
        foreach (var norm in norms) squares += norm.SumOfSquares;
        var scale = 1.0 / Math.Max(1, tokens);
        var raw = Math.Sqrt(squares) * scale;
        var sums = new StepSums(step, cross, z, balance / slots, tokens, raw, null, FirstBad(all))
        {
            ExpertRows = Totals(all.Select(report => report.ExpertRows)),
            Micros = Totals(all.Select(report => report.Micros)),
        };
        if (sums.NotFinite is null && !double.IsFinite(sums.Loss)) sums = sums with { NotFinite = "loss" };
        if (sums.NotFinite is null && !double.IsFinite(raw)) sums = sums with { NotFinite = "gradient norm" };
        return sums.NotFinite is not null ? sums : sums with { Factor = clipNorm is { } most && raw >= most ? scale * (most / raw) : scale };
    }

    /// <summary>With the norm of the weights, if all chunks' sums of squares are there.</summary>
    internal StepSums WithWeights(IEnumerable<TrainingProtocol.ChunkNorm> weights, int chunks)
    {
        var (sum, next) = (0.0, 0);
        foreach (var norm in weights.OrderBy(norm => norm.Chunk))
        {
            if (norm.Chunk != next++) return this;
            sum += norm.SumOfSquares;
        }

        return next == chunks ? this with { ParamNorm = Math.Sqrt(sum) } : this;
    }

    private static ImmutableArray<long> Totals(IEnumerable<ImmutableArray<long>> parts)
    {
        var totals = Array.Empty<long>();
        foreach (var part in parts)
        {
            if (part.Length > totals.Length) Array.Resize(ref totals, part.Length);
            for (var i = 0; i < part.Length; i++) totals[i] += part[i];
        }

        return [.. totals];
    }

    private static string? FirstBad(IEnumerable<TrainingProtocol.Report> reports) =>
        reports.Select(report => report.NotFinite).Where(bad => bad is not null).MinBy(bad => bad!.Order)?.Name;

    private static void CheckWhole(long step, string what, IEnumerable<int> reported, int count)
    {
        if (!reported.SequenceEqual(Enumerable.Range(0, count)))
            throw new InvalidDataException($"Training: the owners' reports of step {step} hold {what} [{string.Join(", ", reported.Take(20))}]; each of 0 to {count - 1} belongs there once.");
    }
}
