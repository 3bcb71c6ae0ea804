using System.Collections.Immutable;
using ActorLlama.Protocol;
using ActorLlama.Runtime.Nodes;
using Akka.Actor;

namespace ActorLlama.Runtime.Saving;

/// <summary>
/// Has a node's owners write their parts of a save, and reports how far they are until the save is over. Idle -> Writing -> Idle.
/// </summary>
internal sealed class NodeSaver(NodeContext node, IReadOnlyDictionary<string, IActorRef> devices) : UntypedActor, IWithTimers
{
    private static readonly TimeSpan s_reportEvery = TimeSpan.FromMilliseconds(250);

    private readonly Dictionary<SaveProtocol.Part, (long Written, long Total)> _progress = [];
    private readonly Dictionary<SaveProtocol.Part, ImmutableArray<SaveProtocol.File>> _files = [];
    private SaveProtocol.Write? _write;
    private IActorRef _supervisor = ActorRefs.Nobody;
    private CancellationTokenSource _stop = new();
    private string? _fault;

    public static Props Props(NodeContext node, IReadOnlyDictionary<string, IActorRef> devices) => Akka.Actor.Props.Create(() => new NodeSaver(node, devices));

    /// <summary>From the node: it has another plan now.</summary>
    public sealed record PlanChanged : INoSerializationVerificationNeeded;

    private sealed record ReportTick : INoSerializationVerificationNeeded;

    public ITimerScheduler Timers { get; set; } = null!;

    protected override void OnReceive(object message) => Idle(message);

    private void Idle(object message)
    {
        switch (message)
        {
            case SaveProtocol.Write write: Begin(write); break;
            case SaveProtocol.End or PlanChanged or ReportTick: break;
            case PartProtocol.Progress or PartProtocol.Written or PartProtocol.Failed: break; // Of a save that is over.
            default: Unhandled(message); break;
        }
    }

    private void Writing(object message)
    {
        switch (message)
        {
            case SaveProtocol.Write write when write.Save == _write!.Save: Report(); break;
            case SaveProtocol.Write write: // The supervisor begins one only when the last is over.
                End();
                Begin(write);
                break;
            case SaveProtocol.End end when end.Save == _write!.Save: End(); break;
            case SaveProtocol.End: break;
            case ReportTick: Report(); break;
            case PlanChanged when node.Board.Plan.Epoch == _write!.PlanEpoch: break;
            case PlanChanged:
                Fail($"its node holds plan {node.Board.Plan.Epoch} now");
                End();
                break;
            case PartProtocol.Progress part when part.Folder == _write!.Folder: _progress[part.Part] = (part.WrittenBytes, part.TotalBytes); break;
            case PartProtocol.Written part when part.Folder == _write!.Folder: Note(part); break;
            case PartProtocol.Failed part when part.Folder == _write!.Folder: Fail($"{part.Part.Name}: {part.Reason}"); break;
            case PartProtocol.Progress or PartProtocol.Written or PartProtocol.Failed: break; // Of an earlier save.
            default: Unhandled(message); break;
        }
    }

    protected override void PostStop() => _stop.Cancel();

    private void Begin(SaveProtocol.Write write)
    {
        // The plan itself is on its way here, too: the supervisor asks again.
        if (node.Board.Plan.Epoch < write.PlanEpoch) return;
        (_write, _supervisor, _stop, _fault) = (write, Sender, new CancellationTokenSource(), null);
        Become(Writing);
        Timers.StartPeriodicTimer(nameof(ReportTick), new ReportTick(), s_reportEvery);
        if (node.Board.Plan.Epoch != write.PlanEpoch) Fail($"its node holds plan {node.Board.Plan.Epoch}, not {write.PlanEpoch}");
        else
            foreach (var part in write.Parts)
                if (devices.TryGetValue(part.Device.Name, out var device)) device.Tell(new PartProtocol.Write(part, write.Folder, write.Nonce, _stop.Token));
                else Fail($"it has no device \"{part.Device.Name}\"");
        Report();
    }

    private void Note(PartProtocol.Written part)
    {
        _files[part.Part] = part.Files;
        if (_files.Count == _write!.Parts.Length) Report();
    }

    private void Fail(string why)
    {
        _stop.Cancel();
        // The first fault is the cause of the others.
        if (_fault is not null) return;
        _fault = why;
        Report();
    }

    private void End()
    {
        _stop.Cancel();
        Timers.Cancel(nameof(ReportTick));
        _progress.Clear();
        _files.Clear();
        _write = null;
        Become(Idle);
    }

    private void Report() => _supervisor.Tell(new SaveProtocol.Report(
        _write!.Save, node.Self, _progress.Values.Sum(part => part.Written),
        _write.Parts.Sum(part => _progress.TryGetValue(part, out var known) ? known.Total : part.WeightBytes),
        _fault is null && _files.Count == _write.Parts.Length ? [.. _files.Values.SelectMany(files => files)] : null, _fault));
}
