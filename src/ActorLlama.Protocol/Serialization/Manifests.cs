using System.Collections.Frozen;

namespace ActorLlama.Protocol;

/// <summary>Short names of all messages on the wire. Rows are added, never renamed or reused.</summary>
public static class Manifests
{
    private static readonly (Type Type, string Manifest)[] s_rows =
    [
        (typeof(NodeProtocol.Offer), "no"),
        (typeof(NodeProtocol.GetOffer), "ng"),
        (typeof(NodeProtocol.GetMembership), "ni"),
        (typeof(NodeProtocol.Membership), "nm"),
        (typeof(NodeProtocol.Gone), "nx"),
        (typeof(NodeProtocol.Leave), "nl"),
        (typeof(NodeProtocol.Restart), "ns"),
        (typeof(NodeProtocol.Refused), "nr"),
        (typeof(NodeProtocol.Assign), "na"),
        (typeof(NodeProtocol.Routes), "nt"),
        (typeof(ClusterProtocol.GetStatus), "cg"),
        (typeof(ClusterProtocol.Status), "cs"),
        (typeof(ClusterProtocol.GetEvents), "ce"),
        (typeof(ClusterProtocol.Events), "ch"),
        (typeof(ClusterProtocol.Drain), "cd"),
        (typeof(ClusterProtocol.Drained), "cz"),
        (typeof(ClusterProtocol.Rebalance), "cb"),
        (typeof(ClusterProtocol.Rebalanced), "ca"),
        (typeof(ClusterProtocol.Restart), "cr"),
        (typeof(ClusterProtocol.Restarting), "ct"),
        (typeof(ClusterProtocol.GetModel), "cq"),
        (typeof(ClusterProtocol.Model), "cm"),
        (typeof(ClusterProtocol.Save), "cv"),
        (typeof(ClusterProtocol.GetSave), "cw"),
        (typeof(ClusterProtocol.CancelSave), "cx"),
        (typeof(ClusterProtocol.SaveStatus), "cy"),
        (typeof(SaveProtocol.Write), "vw"),
        (typeof(SaveProtocol.Report), "vr"),
        (typeof(SaveProtocol.End), "ve"),
        (typeof(SessionProtocol.Open), "so"),
        (typeof(SessionProtocol.Opened), "sp"),
        (typeof(SessionProtocol.Refused), "sr"),
        (typeof(SessionProtocol.Tokens), "st"),
        (typeof(SessionProtocol.Acknowledge), "sa"),
        (typeof(SessionProtocol.Resume), "su"),
        (typeof(SessionProtocol.Cancel), "sc"),
        (typeof(SessionProtocol.Finished), "sf"),
        (typeof(SessionProtocol.LogitsPart), "sl"),
        (typeof(SessionProtocol.ClientLost), "sx"),
        (typeof(SchedulerProtocol.Submit), "bs"),
        (typeof(SchedulerProtocol.Accepted), "ba"),
        (typeof(SchedulerProtocol.Refused), "br"),
        (typeof(SchedulerProtocol.Sampled), "bt"),
        (typeof(SchedulerProtocol.LogitsPart), "bl"),
        (typeof(SchedulerProtocol.Withdraw), "bw"),
        (typeof(SchedulerProtocol.Renew), "bn"),
        (typeof(StageProtocol.Run), "tr"),
        (typeof(StageProtocol.Ran), "td"),
        (typeof(StageProtocol.Failed), "tf"),
        (typeof(StageProtocol.Free), "tx"),
        (typeof(StageProtocol.Progress), "tp"),
        (typeof(PulseProtocol.Ask), "pa"),
        (typeof(PulseProtocol.Pulse), "pp"),
        (typeof(ExpertProtocol.Run), "er"),
        (typeof(ExpertProtocol.Ran), "ed"),
        (typeof(ExpertProtocol.Refused), "ef"),
        (typeof(ShardProtocol.Serve), "hs"),
        (typeof(LaneProtocol.Hello), "lh"),
        (typeof(LaneProtocol.Welcome), "lw"),
        (typeof(LaneProtocol.Refused), "lr"),
        (typeof(TrainingProtocol.Ask), "ka"),
        (typeof(TrainingProtocol.Held), "kh"),
        (typeof(TrainingProtocol.Fenced), "kf"),
        (typeof(TrainingProtocol.Restore), "kr"),
        (typeof(TrainingProtocol.Restored), "ks"),
        (typeof(TrainingProtocol.Lost), "kl"),
        (typeof(TrainingProtocol.Working), "kw"),
        (typeof(TrainingProtocol.Begin), "kb"),
        (typeof(TrainingProtocol.Report), "kp"),
        (typeof(TrainingProtocol.Failed), "kx"),
        (typeof(TrainingProtocol.Commit), "kc"),
        (typeof(TrainingProtocol.Applied), "kd"),
        (typeof(TrainingProtocol.Abort), "kz"),
        (typeof(TrainingProtocol.AllCommitted), "kk"),
        (typeof(TrainingProtocol.Snapshot), "ki"),
        (typeof(TrainingProtocol.Snapshotted), "kj"),
        (typeof(TrainingProtocol.Written), "kt"),
        (typeof(TrainingProtocol.NotWritten), "kn"),
        (typeof(TrainingProtocol.EndSave), "kv"),
        (typeof(TrainingProtocol.End), "ke"),
        (typeof(TrainingProtocol.Enter), "kg"),
        (typeof(TrainingProtocol.Entered), "km"),
        (typeof(TrainingProtocol.Peers), "ko"),
        (typeof(RunProtocol.Start), "rs"),
        (typeof(RunProtocol.Get), "rg"),
        (typeof(RunProtocol.Stop), "rx"),
        (typeof(RunProtocol.Status), "rt"),
        (typeof(ExchangeProtocol.Gather), "xg"),
        (typeof(ExchangeProtocol.Gathered), "xh"),
        (typeof(ExchangeProtocol.Scatter), "xs"),
        (typeof(ExchangeProtocol.Scattered), "xt"),
        (typeof(ExchangeProtocol.Dispatch), "xd"),
        (typeof(ExchangeProtocol.Combine), "xc"),
        (typeof(ExchangeProtocol.DispatchGradient), "xe"),
        (typeof(ExchangeProtocol.CombineGradient), "xf"),
        (typeof(ExchangeProtocol.Refused), "xr"),
    ];

    private static readonly FrozenDictionary<Type, string> s_byType = s_rows.ToFrozenDictionary(r => r.Type, r => r.Manifest);
    private static readonly FrozenDictionary<string, Type> s_byManifest = s_rows.ToFrozenDictionary(r => r.Manifest, r => r.Type);

    public static IEnumerable<Type> Types => s_byType.Keys;

    /// <summary>Throws <see cref="ArgumentException"/> for a type that has no row.</summary>
    public static string Of(Type type) => s_byType.TryGetValue(type, out var manifest)
        ? manifest
        : throw new ArgumentException($"Serialization: '{type.FullName}' has no manifest. Add a row to {nameof(Manifests)}.");

    public static bool TryGetType(string manifest, out Type type) => s_byManifest.TryGetValue(manifest, out type!);
}
