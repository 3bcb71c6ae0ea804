using System.Collections.Immutable;
using ActorLlama.Protocol;

namespace ActorLlama.Planning.Saving;

/// <summary>
/// How a cluster saves its model: one save at a time, by the owners of one plan, all or nothing. Whatever ends it early leaves no folder, and a reason that names who or
/// what it was.
/// </summary>
public static class SaveRules
{
    /// <summary>The one layout that owners write, each its own files.</summary>
    public const string Layout = "unscanned";

    /// <summary>The next state, and what to do now.</summary>
    public static (SaveState State, ImmutableArray<SaveEffect> Effects) Step(SaveState state, SaveEvent happened, long nowMs)
    {
        var effects = ImmutableArray.CreateBuilder<SaveEffect>();
        var next = happened switch
        {
            SaveEvent.Requested requested => Request(state, requested, effects),
            SaveEvent.FolderMade made => Begin(state, made, nowMs, effects),
            SaveEvent.Reported reported => Hear(state, reported.Report, nowMs, effects),
            SaveEvent.Committed committed when IsRunning(state, committed.Save) => End(state, SavePhase.Saved, "", effects),
            SaveEvent.Failed failed when IsRunning(state, failed.Save) => End(state, SavePhase.Failed, failed.Reason, effects),
            SaveEvent.Replanned replanned when MayAbort(state) && replanned.PlanEpoch != state.Running!.PlanEpoch =>
                End(state, SavePhase.Failed, $"Save: the plan changed meanwhile, because {replanned.Cause}. {Again}", effects),
            SaveEvent.NodeLost lost when MayAbort(state) && state.Running!.Nodes.Contains(lost.Node) =>
                End(state, SavePhase.Failed, $"Save: {state.Running.InWords(lost.Node)} was lost. {Again}", effects),
            SaveEvent.Cancelled cancelled when MayAbort(state) && IsRunning(state, cancelled.Save) =>
                End(state, SavePhase.Failed, "Save: it was cancelled; nothing was saved.", effects),
            SaveEvent.Tick => Tick(state, nowMs, effects),
            _ => state,
        };
        return (next, effects.ToImmutable());
    }

    private const string Again = "Nothing was saved; save again.";

    private static bool IsRunning(SaveState state, SaveId save) => state.Running?.Id == save;

    /// <summary>Once all parts are written, nobody is needed any more.</summary>
    private static bool MayAbort(SaveState state) => state.Running is { Phase: not SavePhase.Committing };

    private static SaveState Request(SaveState state, SaveEvent.Requested requested, ImmutableArray<SaveEffect>.Builder effects)
    {
        var (save, cluster) = (requested.Save, requested.Cluster);
        if (IsRunning(state, save.Id) || state.Last?.Id == save.Id) return state;
        if (Refusal(state, save, cluster) is { } reason)
        {
            effects.Add(new SaveEffect.Refuse(save.Id, reason));
            return state;
        }

        var running = new RunningSave(
            save.Id, save.Folder, cluster.Plan.Epoch, SaveParts.Of(cluster.Plan),
            cluster.Nodes.DistinctBy(node => node.Node).ToImmutableDictionary(node => node.Node, node => node.Name));
        effects.Add(new SaveEffect.MakeFolder(save.Id, save.Folder, running.Parts.Sum(part => part.WeightBytes)));
        return state with { Running = running };
    }

    private static string? Refusal(SaveState state, ClusterProtocol.Save save, ClusterProtocol.Status cluster) =>
        save.Id.Value.Length == 0 || !save.Id.Value.All(char.IsAsciiLetterOrDigit) ? $"Save: its id is \"{save.Id}\"; it is of letters and digits. Choose another."
        : save.Layout != Layout ? $"Save: layout is \"{save.Layout}\"; nodes write \"{Layout}\". Save so, and convert what was saved."
        : !Path.IsPathFullyQualified(save.Folder) ? $"Save: folder \"{save.Folder}\" is no full path; all nodes find it under the same one. Name it in full."
        : state.Running is { } other ? $"Save: another one, into \"{other.Target}\", is not over. Wait for it."
        : cluster.State != ClusterState.Ready ? $"Save: the cluster is {cluster.State} ({cluster.Reason}); a whole model is saved. Wait until it is {ClusterState.Ready}."
        : null;

    private static SaveState Begin(SaveState state, SaveEvent.FolderMade made, long nowMs, ImmutableArray<SaveEffect>.Builder effects)
    {
        if (state.Running is not { Phase: SavePhase.Preparing } running || running.Id != made.Save)
        {
            // It was over before its folder was there.
            effects.Add(new SaveEffect.RemoveFolder(made.Folder));
            return state;
        }

        var writing = running with
        {
            Phase = SavePhase.Writing,
            Folder = (made.Folder, made.Nonce),
            HeardMs = running.Nodes.ToImmutableDictionary(node => node, _ => nowMs),
            SentMs = nowMs,
        };
        Ask(writing, effects);
        return state with { Running = writing };
    }

    private static SaveState Hear(SaveState state, SaveProtocol.Report report, long nowMs, ImmutableArray<SaveEffect>.Builder effects)
    {
        if (!IsRunning(state, report.Save))
        {
            effects.Add(new SaveEffect.Tell(report.Node, new SaveProtocol.End(report.Save)));
            return state;
        }

        if (state.Running is not { Phase: SavePhase.Writing } running || !running.Nodes.Contains(report.Node)) return state;
        if (report.Fault is { } fault) return End(state, SavePhase.Failed, $"Save: {running.InWords(report.Node)} failed: {fault}", effects);
        var next = running with { Reports = running.Reports.SetItem(report.Node, report), HeardMs = running.HeardMs.SetItem(report.Node, nowMs) };
        if (next.IsComplete)
        {
            next = next with { Phase = SavePhase.Committing };
            effects.Add(new SaveEffect.Commit(next.Id, next.Folder.Path, next.Target, [.. next.Reports.Values.SelectMany(r => r.Files!.Value)]));
        }

        return state with { Running = next };
    }

    private static SaveState Tick(SaveState state, long nowMs, ImmutableArray<SaveEffect>.Builder effects)
    {
        if (state.Running is not { Phase: SavePhase.Writing } running) return state;
        foreach (var node in running.Nodes)
            if (nowMs - running.HeardMs[node] >= state.SilenceMs)
                return End(
                    state, SavePhase.Failed, $"Save: {running.InWords(node)} has not been heard of for {(nowMs - running.HeardMs[node]) / 1000} s. {Again}", effects);
        if (nowMs - running.SentMs < state.ResendMs) return state;
        Ask(running, effects);
        return state with { Running = running with { SentMs = nowMs } };
    }

    /// <summary>Tells every node that has not reported yet what to write.</summary>
    private static void Ask(RunningSave running, ImmutableArray<SaveEffect>.Builder effects)
    {
        foreach (var node in running.Nodes.Where(node => !running.Reports.ContainsKey(node)))
            effects.Add(new SaveEffect.Tell(
                node, new SaveProtocol.Write(running.Id, running.PlanEpoch, running.Folder.Path, running.Folder.Nonce, [.. running.Of(node)])));
    }

    private static SaveState End(SaveState state, SavePhase phase, string reason, ImmutableArray<SaveEffect>.Builder effects)
    {
        var running = state.Running!;
        foreach (var node in running.Phase == SavePhase.Preparing ? [] : running.Nodes) effects.Add(new SaveEffect.Tell(node, new SaveProtocol.End(running.Id)));
        if (phase == SavePhase.Failed && running.Folder.Path.Length > 0) effects.Add(new SaveEffect.RemoveFolder(running.Folder.Path));
        var last = running.Status with { Phase = phase, Reason = reason };
        effects.Add(new SaveEffect.Ended(last));
        return state with { Running = null, Last = last };
    }
}
