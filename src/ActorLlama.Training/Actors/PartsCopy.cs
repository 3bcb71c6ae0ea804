using ActorLlama.Checkpoints;
using ActorLlama.Planning.Training;
using ActorLlama.Protocol;
using ActorLlama.Runtime.Devices;
using Akka.Actor;
using static TorchSharp.torch;

namespace ActorLlama.Training.Actors;

/// <summary>A copy of an owner's parts as they are in one state, and its way into a checkpoint's files, on the device's loader thread.</summary>
internal sealed class PartsCopy : IDisposable
{
    private readonly CancellationTokenSource _dropped = new();
    private readonly List<(string Name, long Start, Tensor Values)> _ranges = [];

    private PartsCopy()
    {
    }

    public sealed record Ended(OwnerEvent Event) : INoSerializationVerificationNeeded;

    /// <summary>Copies at once, writes later; ends with <see cref="Ended"/> to that actor.</summary>
    public static PartsCopy Start(DeviceLoader loader, IActorRef owner, RunContext run, PhaseNotes notes, OwnerEffect.TakeSnapshot take, OwnedParts parts)
    {
        notes.Note("write", take.State.StepsDone);
        var copy = new PartsCopy();
        foreach (var range in parts.Shards.SelectMany(shard => shard.Ranges))
        {
            var (name, start) = (range.Range.Parameter.Name, range.Range.Start);
            copy._ranges.Add((name, start, Copied(range.Weight)));
            copy._ranges.Add((LocalTrainer.MeanPrefix + name, start, Copied(range.Mean)));
            copy._ranges.Add((LocalTrainer.VariancePrefix + name, start, Copied(range.Variance)));
        }

        loader.Run(end => owner.Tell(copy.Write(run, notes, take, end)));
        return copy;
    }

    /// <summary>It is not wanted any more.</summary>
    public void Dispose() => _dropped.Cancel();

    private static Tensor Copied(Tensor of)
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        return of.cpu().clone().DetachFromDisposeScope();
    }

    private Ended Write(RunContext run, PhaseNotes notes, OwnerEffect.TakeSnapshot take, CancellationToken end)
    {
        using var any = CancellationTokenSource.CreateLinkedTokenSource(end, _dropped.Token);
        try
        {
            var checkpoint = run.Settings.Shared();
            var bytes = checkpoint.Write(
                RunStorage.PartialOf(run.Settings, take.Folder),
                [.. _ranges.Select(range => new TrainedRange(range.Name, range.Start, range.Values.NumberOfElements, (offset, to) => range.Values.bytes.Slice((int)offset, to.Length).CopyTo(to)))], any.Token);
            return new Ended(new OwnerEvent.Written(take.Save, [new SaveProtocol.File(take.Folder, bytes, "")]));
        }
        catch (Exception fault)
        {
            // One part that fails fails the save, and nothing else.
            return new Ended(new OwnerEvent.WriteFailed(take.Save, fault is OperationCanceledException ? "it is not wanted any more" : fault.Message));
        }
        finally
        {
            notes.Note("written", take.State.StepsDone);
            foreach (var (_, _, values) in _ranges) values.Dispose();
        }
    }
}
