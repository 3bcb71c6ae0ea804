using System.Collections.Immutable;

namespace ActorLlama.Planning.Training;

/// <summary>
/// Which gradients of an attempt an owner has been given. Each of its parts, by number, is to get one from every slot, and they are added in slot order, so that the sum
/// is the same whatever order they come in.
/// </summary>
public sealed record GradientLedger
{
    private readonly int _slots;
    private readonly ImmutableDictionary<int, int> _next;
    private readonly ImmutableHashSet<(int Part, int Slot)> _early;

    private GradientLedger(int slots, ImmutableDictionary<int, int> next, ImmutableHashSet<(int Part, int Slot)> early) => (_slots, _next, _early) = (slots, next, early);

    /// <summary>Nothing has come yet.</summary>
    public static GradientLedger Of(int slots, IEnumerable<int> parts) => new(slots, parts.ToImmutableDictionary(part => part, _ => 0), []);

    /// <summary>Every part has every slot's gradient.</summary>
    public bool IsComplete => _next.Values.All(next => next == _slots);

    /// <summary>Gradients that have come, but wait for one of a lower slot.</summary>
    public int Waiting => _early.Count;

    /// <summary>
    /// A slot's gradient of a part has come: the slots whose gradients of that part are to be added now, in this order; none when it has to wait. Null: it was not expected or
    /// has come before, and is to be thrown away.
    /// </summary>
    public (GradientLedger Ledger, ImmutableArray<int>? Add) Take(int part, int slot)
    {
        if (!_next.TryGetValue(part, out var next) || slot < next || slot >= _slots || _early.Contains((part, slot))) return (this, null);
        if (slot > next) return (new(_slots, _next, _early.Add((part, slot))), []);
        var end = slot + 1;
        while (_early.Contains((part, end))) end++;
        return (new(_slots, _next.SetItem(part, end), _early.Except(Enumerable.Range(slot, end - slot).Select(s => (part, s)))), [.. Enumerable.Range(slot, end - slot)]);
    }
}
