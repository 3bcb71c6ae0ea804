namespace ActorLlama.Runtime.Lanes;

/// <summary>What the receiver of one message owes its sender: the credit back, or word that nobody received it. Given once.</summary>
internal sealed class LaneReceipt(ReceiverState receiver, long id, CreditUse use, int bytes)
{
    private int _isGiven;

    public long Id { get; } = id;

    public CreditUse Use { get; } = use;

    public int Bytes { get; } = bytes;

    public void Return()
    {
        if (Interlocked.Exchange(ref _isGiven, 1) == 0) receiver.Return(this, null);
    }

    public void Fail(LaneFailure reason)
    {
        if (Interlocked.Exchange(ref _isGiven, 1) == 0) receiver.Return(this, reason);
    }
}
