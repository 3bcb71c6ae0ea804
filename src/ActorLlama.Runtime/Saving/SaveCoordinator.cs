using System.Collections.Immutable;
using ActorLlama.Checkpoints;
using ActorLlama.Planning.Saving;
using ActorLlama.Protocol;
using ActorLlama.Runtime.Nodes;
using Akka.Actor;
using Akka.Event;

namespace ActorLlama.Runtime.Saving;

/// <summary>Leads saves, beside the supervisor: does what <see cref="SaveRules"/> say. Files are touched by threads of their own. One state.</summary>
internal sealed class SaveCoordinator(NodeContext node) : UntypedActor, IWithTimers
{
    private const int RemovalTries = 50;
    private static readonly TimeSpan s_tick = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan s_removalPause = TimeSpan.FromMilliseconds(100);

    private readonly ILoggingAdapter _log = Context.GetLogger();
    private SaveState _state = SaveState.Idle();
    private ImmutableDictionary<NodeId, IActorRef> _nodes = ImmutableDictionary<NodeId, IActorRef>.Empty;

    public static Props Props(NodeContext node) => Akka.Actor.Props.Create(() => new SaveCoordinator(node));

    /// <summary>From the supervisor, for a client: save the model as it stands, by these nodes.</summary>
    public sealed record Begin(ClusterProtocol.Save Save, ClusterProtocol.Status Cluster, ImmutableDictionary<NodeId, IActorRef> Nodes)
        : INoSerializationVerificationNeeded;

    /// <summary>From the supervisor, or from work that has ended.</summary>
    public sealed record Happened(SaveEvent Event) : INoSerializationVerificationNeeded;

    private sealed record SaveTick : INoSerializationVerificationNeeded;

    private sealed record RemoveTick(string Folder, int Tries) : INoSerializationVerificationNeeded;

    private sealed record Removed(string Folder, int Tries, bool IsGone) : INoSerializationVerificationNeeded;

    public ITimerScheduler Timers { get; set; } = null!;

    protected override void OnReceive(object message)
    {
        switch (message)
        {
            case Begin begin: Request(begin); break;
            case Happened happened: Step(happened.Event); break;
            case SaveProtocol.Report report: Hear(report); break;
            case ClusterProtocol.GetSave get: Answer(get.Id); break;
            case ClusterProtocol.CancelSave cancel:
                Step(new SaveEvent.Cancelled(cancel.Id));
                Answer(cancel.Id);
                break;
            case Removed removed: NoteRemoved(removed); break;
            case RemoveTick again: Remove(again.Folder, again.Tries); break;
            case SaveTick: Step(new SaveEvent.Tick()); break;
            default: Unhandled(message); break;
        }
    }

    private void Request(Begin begin)
    {
        foreach (var (id, actor) in begin.Nodes) _nodes = _nodes.SetItem(id, actor);
        if (Step(new SaveEvent.Requested(begin.Save, begin.Cluster)) is { } refused)
            Sender.Tell(new ClusterProtocol.SaveStatus(refused.Save, SavePhase.Failed, 0, 0, refused.Reason));
        else Answer(begin.Save.Id);
    }

    private void Hear(SaveProtocol.Report report)
    {
        _nodes = _nodes.SetItem(report.Node, Sender);
        Step(new SaveEvent.Reported(report));
    }

    private void Answer(SaveId save) => Sender.Tell(_state.StatusOf(save));

    private SaveEffect.Refuse? Step(SaveEvent happened)
    {
        (_state, var effects) = SaveRules.Step(_state, happened, node.NowMs);
        foreach (var effect in effects) Perform(effect);
        Tick();
        return effects.OfType<SaveEffect.Refuse>().FirstOrDefault();
    }

    /// <summary>Only a save has deadlines.</summary>
    private void Tick()
    {
        var isTicking = Timers.IsTimerActive(nameof(SaveTick));
        if (_state.IsIdle && isTicking) Timers.Cancel(nameof(SaveTick));
        else if (!_state.IsIdle && !isTicking) Timers.StartPeriodicTimer(nameof(SaveTick), new SaveTick(), s_tick);
    }

    private void Perform(SaveEffect effect)
    {
        switch (effect)
        {
            case SaveEffect.Refuse: break; // Answered by whoever asked for the step.
            case SaveEffect.MakeFolder make: MakeFolder(make); break;
            case SaveEffect.Tell tell when _nodes.TryGetValue(tell.Node, out var actor): actor.Tell(tell.Message); break;
            case SaveEffect.Tell: break; // Its silence ends the save.
            case SaveEffect.Commit commit: Commit(commit); break;
            case SaveEffect.RemoveFolder remove: Remove(remove.Folder, tries: 1); break;
            case SaveEffect.Ended ended: _log.Info("Save {Save} ended: {Phase} {Reason}", ended.Status.Id, ended.Status.Phase, ended.Status.Reason); break;
        }
    }

    private void MakeFolder(SaveEffect.MakeFolder make)
    {
        var nonce = Guid.NewGuid().ToString("N");
        OnThread(() => SaveFolder.Make(make.Target, make.Save.Value, nonce, make.Bytes)).PipeTo(
            Self,
            success: path => new Happened(new SaveEvent.FolderMade(make.Save, path, nonce)),
            failure: fault => new Happened(new SaveEvent.Failed(make.Save, fault.Message)));
    }

    private void Commit(SaveEffect.Commit commit) => OnThread(() =>
    {
        CheckpointSave.Commit(commit.Folder, commit.Target, node.Model.Checkpoint, [.. commit.Files.Select(file => new SavedFile(file.Name, file.Bytes, file.Sha256))]);
        return new SaveEvent.Committed(commit.Save);
    }).PipeTo(Self, success: committed => new Happened(committed), failure: fault => new Happened(new SaveEvent.Failed(commit.Save, fault.Message)));

    private void Remove(string folder, int tries) => OnThread(() => SaveFolder.Remove(folder)).PipeTo(
        Self, success: isGone => new Removed(folder, tries, isGone), failure: _ => new Removed(folder, tries, IsGone: false));

    /// <summary>A node that had not heard yet may have put one file more into it: then it is tried again.</summary>
    private void NoteRemoved(Removed removed)
    {
        if (removed.IsGone) return;
        if (removed.Tries < RemovalTries)
            Timers.StartSingleTimer(removed.Folder, new RemoveTick(removed.Folder, removed.Tries + 1), s_removalPause);
        else _log.Warning("Folder {Folder} of a save that failed cannot be removed", removed.Folder);
    }

    private static Task<T> OnThread<T>(Func<T> work) =>
        Task.Factory.StartNew(work, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
}
