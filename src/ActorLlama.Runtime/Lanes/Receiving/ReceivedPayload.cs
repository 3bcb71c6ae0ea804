using ActorLlama.Protocol;

namespace ActorLlama.Runtime.Lanes;

/// <summary>A payload that came over the lane: when it is released the sender gets its credit back.</summary>
internal sealed class ReceivedPayload : BytesPayload
{
    private readonly LaneCounters _counters;
    private readonly LaneReceipt? _receipt;

    public ReceivedPayload(int bytes, LaneCounters counters, LaneReceipt? receipt)
        : base(bytes)
    {
        (_counters, _receipt) = (counters, receipt);
        counters.AddLiveBuffers(1);
    }

    protected override void Release()
    {
        base.Release();
        _counters.AddLiveBuffers(-1);
        _receipt?.Return();
    }
}
