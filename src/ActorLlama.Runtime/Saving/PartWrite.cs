using ActorLlama.Checkpoints;
using ActorLlama.Protocol;
using ActorLlama.Runtime.Devices;
using Akka.Actor;

namespace ActorLlama.Runtime.Saving;

/// <summary>
/// One owner's part on its way to disk, on its device's loader thread. Reads the owner's weights until it ends: the owner frees them on the same thread, behind it.
/// </summary>
internal sealed class PartWrite : IDisposable
{
    private static readonly TimeSpan s_tellEvery = TimeSpan.FromMilliseconds(100);

    private readonly CancellationTokenSource _ended = new();
    private readonly PartProtocol.Write _write;
    private readonly IActorRef _asker;
    private readonly TimeProvider _time;
    private long _told;

    private PartWrite(PartProtocol.Write write, IActorRef asker, TimeProvider time) => (_write, _asker, _time) = (write, asker, time);

    /// <summary>Begins the write of what <paramref name="tensors"/> names, for whoever asked.</summary>
    public static PartWrite Start(NodeDevice device, PartProtocol.Write write, IActorRef asker, TimeProvider time, Func<IReadOnlyList<TensorToWrite>> tensors)
    {
        var part = new PartWrite(write, asker, time);
        device.Loader.Run(end => asker.Tell(part.Run(tensors, device.Options.Threads, end)));
        return part;
    }

    /// <summary>Ends it soon: its owner does.</summary>
    public void Dispose() => _ended.Cancel();

    private object Run(Func<IReadOnlyList<TensorToWrite>> tensors, int threads, CancellationToken end)
    {
        using var any = CancellationTokenSource.CreateLinkedTokenSource(end, _write.Stop, _ended.Token);
        try
        {
            any.Token.ThrowIfCancellationRequested();
            var files = CheckpointSave.WritePart(_write.Folder, _write.Nonce, _write.Part.Name, tensors(), Math.Max(1, threads), Tell, any.Token);
            return new PartProtocol.Written(_write.Folder, _write.Part, [.. files.Select(file => new SaveProtocol.File(file.Name, file.Bytes, file.Sha256))]);
        }
        catch (Exception e)
        {
            // Told to the asker: one part that fails fails the save, and nothing else.
            return new PartProtocol.Failed(_write.Folder, _write.Part, e is OperationCanceledException ? "its owner ended" : e.Message);
        }
    }

    private void Tell(WriteProgress done)
    {
        var now = _time.GetTimestamp();
        if (done.WrittenBytes < done.TotalBytes && _time.GetElapsedTime(_told, now) < s_tellEvery) return;
        _told = now;
        _asker.Tell(new PartProtocol.Progress(_write.Folder, _write.Part, done.WrittenBytes, done.TotalBytes));
    }
}
