namespace ActorLlama.Runtime.Nodes;

/// <summary>How a node's actors tell the host that the node is to end. The first word stands.</summary>
internal sealed class NodeEnd
{
    private readonly TaskCompletionSource<string?> _told = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Ends with the reason why the node can no longer serve, or with null when it is to start again.</summary>
    public Task<string?> Told => _told.Task;

    public void Fail(string reason) => _told.TrySetResult(reason);

    public void StartAgain() => _told.TrySetResult(null);
}
