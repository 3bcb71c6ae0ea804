using ActorLlama.Model;
using ActorLlama.Planning.Routing;
using ActorLlama.Runtime.Telemetry;

namespace ActorLlama.Runtime.Stages;

/// <summary>One layer of one batch at the router: its calls, its rows (kept until the end, they may be sent again) and the parts that came back.</summary>
internal sealed class ExpertLayer(Routing routing, ExpertCallState calls, CallSpans spans) : IDisposable
{
    private readonly List<Activation> _parts = [];
    private readonly List<int[]> _places = [];

    public ExpertCallState Calls => calls;

    public CallSpans Spans => spans;

    public Activation Scaled => routing.Scaled;

    /// <summary>Takes ownership of <paramref name="part"/>: its row i belongs at places[i].</summary>
    public void Place(Activation part, int[] places)
    {
        _parts.Add(part);
        _places.Add(places);
    }

    /// <summary>All rows in assignment order, placed by index: the order of arrival leaves no trace.</summary>
    public Activation Gather(IBackend backend)
    {
        if (_parts.Count != 1 || !IsIdentity(_places[0])) return backend.PlaceRows(routing.Experts.Length, _parts, _places);
        var only = _parts[0];
        _parts.Clear();
        return only;
    }

    public void Dispose()
    {
        calls.Abort();
        spans.EndAll();
        foreach (var part in _parts) part.Dispose();
        _parts.Clear();
        routing.Dispose();
    }

    private bool IsIdentity(int[] places) => places.Length == routing.Experts.Length && places.Index().All(p => p.Index == p.Item);
}
