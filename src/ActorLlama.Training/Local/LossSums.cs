using System.Collections.Immutable;
using ActorLlama.Model;
using ActorLlama.Protocol;

namespace ActorLlama.Training;

/// <summary>The losses of slots as they come in, and how their rows are spread over the experts.</summary>
internal sealed class LossSums(LlamaConfig config)
{
    private readonly long[] _rows = new long[config.IsMoe.Count(isMoe => isMoe) * config.Experts];
    private readonly SortedDictionary<int, (SlotLoss Loss, double Balance)> _slots = [];

    /// <summary>The place of a layer among those with experts.</summary>
    public static int MoeIndex(LlamaConfig config, int layer) => config.IsMoe.Take(layer).Count(isMoe => isMoe);

    /// <summary>By slot, ascending.</summary>
    public ImmutableArray<TrainingProtocol.SlotLoss> Losses
    {
        get
        {
            var layers = Math.Max(1, config.IsMoe.Count(isMoe => isMoe));
            return [.. _slots.Select(slot => new TrainingProtocol.SlotLoss(
                slot.Key, slot.Value.Loss.CrossEntropy, slot.Value.Loss.ZLoss, slot.Value.Balance / layers, slot.Value.Loss.Tokens))];
        }
    }

    /// <summary>Rows of each expert, MoE layer by MoE layer.</summary>
    public ImmutableArray<long> ExpertRows => [.. _rows];

    public void Add(int slot, SlotLoss loss) => _slots[slot] = _slots.GetValueOrDefault(slot) with { Loss = loss };

    public void AddLayer(int slot, int layer, double balance, ReadOnlySpan<int> experts)
    {
        var sums = _slots.GetValueOrDefault(slot);
        _slots[slot] = sums with { Balance = sums.Balance + balance };
        var first = MoeIndex(config, layer) * config.Experts;
        foreach (var expert in experts) _rows[first + expert]++;
    }
}
