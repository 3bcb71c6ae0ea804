namespace ActorLlama.Runtime.Nodes;

/// <summary>Figures that many actors of a node change and its offers report.</summary>
internal sealed class NodeGauges
{
    private long _kvBytes;
    private int _sessions;

    public long KvBytes => Interlocked.Read(ref _kvBytes);

    public int Sessions => Volatile.Read(ref _sessions);

    public void AddKv(long bytes) => Interlocked.Add(ref _kvBytes, bytes);

    public void AddSession(int change) => Interlocked.Add(ref _sessions, change);
}
