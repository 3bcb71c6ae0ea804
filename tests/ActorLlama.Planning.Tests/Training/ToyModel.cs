using System.Collections.Immutable;
using ActorLlama.Planning.Training;
using ActorLlama.Protocol;

namespace ActorLlama.Planning.Tests.Training;

/// <summary>
/// A model whose parameters are hashes: one for each trunk piece, then one for each expert. A step makes each depend on all before it, on every slot in slot order and on
/// the factor, so that whatever is lost, mixed, repeated or added in another order shows. Not deterministic: on the attempt too, as sums in another order would.
/// </summary>
internal sealed record ToyModel(int Pieces, int Experts, int Slots, bool IsDeterministic, long NotFiniteStep)
{
    public int Parts => Pieces + Experts;

    public ImmutableArray<ulong> Initial => [.. Enumerable.Range(0, Parts).Select(part => Mix(17, (ulong)part))];

    public static ulong Mix(params ReadOnlySpan<ulong> values)
    {
        var hash = 0x9E3779B97F4A7C15UL;
        foreach (var value in values)
        {
            hash = (hash ^ value) * 0xBF58476D1CE4E5B9UL;
            hash ^= hash >> 29;
        }

        return hash;
    }

    public static ulong HashOf(ImmutableArray<ulong> parts) => Mix(parts.AsSpan());

    public ulong Gradient(ulong weights, AttemptId attempt, int slot, int part) =>
        Mix(weights, (ulong)attempt.Step, (ulong)slot, (ulong)part, IsDeterministic ? 0 : (ulong)((attempt.Epoch << 32) + attempt.Number));

    /// <summary>Not commutative: the order of slots shows.</summary>
    public static ulong Add(ulong sum, ulong gradient) => (sum * 31) + gradient;

    public TrainingProtocol.SlotLoss Loss(ulong weights, AttemptId attempt, int slot) => new(
        slot, attempt.Step == NotFiniteStep && slot == 0 ? double.NaN : (Gradient(weights, attempt, slot, -1) >> 11) * 1e-13, 0, 0, 3 + slot);

    public static TrainingProtocol.ChunkNorm Norm(int part, ulong sum) => new(part, (sum >> 11) * 1e-13);

    public static ulong Update(ulong value, ulong sum, double? factor) => factor is { } f ? Mix(value, sum, BitConverter.DoubleToUInt64Bits(f)) : value;

    /// <summary>What batches of held-out text there are, and the mean loss over some of them.</summary>
    public const int HeldOut = 3;

    public TrainingProtocol.SlotLoss HeldOutLoss(ulong weights, long batch, int slot) => new(slot, (Mix(weights, (ulong)batch, (ulong)slot) >> 11) * 1e-13, 0, 0, 3 + slot);

    public double HeldOutLoss(ImmutableArray<ulong> parts, int batches)
    {
        var (loss, tokens) = (0.0, 0L);
        for (var batch = 0; batch < batches; batch++)
            foreach (var slot in Enumerable.Range(0, Slots).Select(slot => HeldOutLoss(HashOf(parts), batch, slot))) (loss, tokens) = (loss + slot.CrossEntropy, tokens + slot.Tokens);
        return loss / tokens;
    }

    /// <summary>What an attempt from that state comes to when nothing disturbs it.</summary>
    public (ImmutableArray<ulong> Next, StepSums Sums) Step(ImmutableArray<ulong> parts, AttemptId attempt, CoordinatorSettings settings)
    {
        var weights = HashOf(parts);
        var sums = Enumerable.Range(0, Parts)
            .Select(part => Enumerable.Range(0, Slots).Aggregate(0UL, (sum, slot) => Add(sum, Gradient(weights, attempt, slot, part)))).ToImmutableArray();
        var report = new TrainingProtocol.Report(
            1, default, attempt, [.. Enumerable.Range(0, Slots).Select(slot => Loss(weights, attempt, slot))], [.. sums.Select((sum, part) => Norm(part, sum))], null, [], [], null);
        var step = StepSums.Of(attempt.Step, [report], Slots, Parts, settings.ClipNorm);
        return ([.. parts.Zip(sums).Select(p => Update(p.First, p.Second, step.Factor))], step);
    }
}
