using System.Collections.Immutable;
using ActorLlama.Model;

namespace ActorLlama.Training;

/// <summary>The losses of a batch as they come in, slot by slot.</summary>
internal sealed class LossSums(LlamaConfig config, int slots)
{
    private readonly long[][] _experts = [.. config.IsMoe.Where(isMoe => isMoe).Select(_ => new long[config.Experts])];
    private double _cross, _z, _balance;
    private int _tokens;

    /// <summary>The place of a layer among those with experts.</summary>
    public static int MoeIndex(LlamaConfig config, int layer) => config.IsMoe.Take(layer).Count(isMoe => isMoe);

    public void Add(SlotLoss loss) => (_cross, _z, _tokens) = (_cross + loss.CrossEntropy, _z + loss.ZLoss, _tokens + loss.Tokens);

    public void AddLayer(int layer, double balance, ReadOnlySpan<int> experts)
    {
        _balance += balance;
        var counts = _experts[MoeIndex(config, layer)];
        foreach (var expert in experts) counts[expert]++;
    }

    public BatchLoss Result()
    {
        var tokens = Math.Max(1, _tokens);
        var balance = _balance / (slots * Math.Max(1, _experts.Length));
        var lm = (_cross + _z) / tokens;
        return new(lm + balance, lm, _z / tokens, balance, _tokens, [.. _experts.Select(counts => counts.ToImmutableArray())]);
    }
}
